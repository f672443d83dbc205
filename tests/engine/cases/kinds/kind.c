/* SPDX-License-Identifier: Apache-2.0 */
/* A small program of its own, built in each way that programs are: it says what it was started with and finds its files. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef WITH_LIBRARY
#include <dlfcn.h>
#endif

extern char **environ;

int main(int argc, char **argv)
{
	struct stat st;
	char exe[256];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n < 0 ? 0 : n] = '\0';
	printf("%s: %d '%s' '%s' in %s\n", strrchr(exe, '/') ? strrchr(exe, '/') : "?", argc,
	       argv[0], environ[0] ? environ[0] : "", exe);
	printf("sh %d, the host's %d\n", stat("/bin/sh", &st),
	       stat("/scar-canary-of-the-host", &st));
#ifdef WITH_LIBRARY
	void *library = dlopen("/lib/libkind.so", RTLD_NOW);
	int (*look)(const char *) = library ? (int (*)(const char *))dlsym(library, "kind_look")
					    : 0;

	printf("by a library: %d %d\n", look ? look("/bin/sh") : -2,
	       look ? look("/scar-canary-of-the-host") : -2);
	if (library)
		dlclose(library);
#endif
	return 0;
}
