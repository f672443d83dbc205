/* SPDX-License-Identifier: Apache-2.0 */
/* Programs for `make bench-invoke`, by their first argument: `nothing`; `clock` prints the time in ns and waits; `bytes N` prints N bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char block[65536];

static int tell_time(void)
{
	struct timespec now;
	char text[64];
	int len;

	usleep(50000);
	clock_gettime(CLOCK_REALTIME, &now);
	len = snprintf(text, sizeof text, "%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
	if (write(1, text, (size_t)len) != len)
		return 1;
	usleep(100000);
	return 0;
}

int main(int argc, char **argv)
{
	long long left = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;

	if (argc > 1 && strcmp(argv[1], "clock") == 0)
		return tell_time();
	memset(block, 'x', sizeof block);
	while (left > 0) {
		ssize_t n = write(1, block,
				  left < (long long)sizeof block ? (size_t)left : sizeof block);

		if (n <= 0)
			return 1;
		left -= n;
	}
	return 0;
}
