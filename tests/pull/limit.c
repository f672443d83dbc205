/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pull cannot do without, each part alone: pull_limit DIR TYPE BLOB [TYPE BLOB...], TYPE is gzip or zstd.
 *
 * decode: every layer decompressed in memory, with the digest of what went in and what came out, two layers at a time.
 * write:  the same files made below DIR, from memory, by one thread.
 * Prints: decode_wall decode_cpu write_wall write_cpu, in seconds. Calls nothing of ours.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <zstd.h>

#define LAYERS_MAX 64
#define CHUNK ((size_t)256 << 10)

struct layer {
	const uint8_t *blob;
	size_t blob_len;
	uint8_t *tar;
	size_t tar_len, tar_room;
	int is_zstd;
};

static struct layer layers[LAYERS_MAX];
static size_t layer_count, next_layer;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* `keep`: into one piece of memory, for the writing; else into a small window, as a stream would. */
static uint8_t *window(struct layer *l, int keep, uint8_t *small)
{
	if (!keep)
		return small;
	if (l->tar_len + CHUNK > l->tar_room) {
		l->tar_room = l->tar_room * 2 + CHUNK;
		l->tar = realloc(l->tar, l->tar_room);
		if (!l->tar)
			die("memory");
	}
	return l->tar + l->tar_len;
}

static void inflate_gzip(struct layer *l, int keep, EVP_MD_CTX *out)
{
	struct inflate_state *state = malloc(sizeof *state);
	uint8_t *small = malloc(CHUNK);

	if (!state || !small)
		die("memory");
	isal_inflate_init(state);
	state->crc_flag = ISAL_GZIP;
	state->next_in = (uint8_t *)(uintptr_t)l->blob;
	state->avail_in = (uint32_t)l->blob_len;
	for (;;) {
		uint8_t *at = window(l, keep, small);
		size_t made;

		/* Another member. */
		if (state->block_state == ISAL_BLOCK_FINISH) {
			if (state->avail_in < 18)
				break;
			isal_inflate_reset(state);
			state->crc_flag = ISAL_GZIP;
		}
		state->next_out = at;
		state->avail_out = CHUNK;
		if (isal_inflate(state) != ISAL_DECOMP_OK)
			die("inflate");
		made = CHUNK - state->avail_out;
		if (out)
			EVP_DigestUpdate(out, at, made);
		l->tar_len += keep ? made : 0;
		if (made == 0 && state->avail_in == 0)
			break;
	}
	free(small);
	free(state);
}

static void inflate_zstd(struct layer *l, int keep, EVP_MD_CTX *out)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	ZSTD_inBuffer in = {l->blob, l->blob_len, 0};
	uint8_t *small = malloc(CHUNK);

	if (!context || !small)
		die("memory");
	while (in.pos < in.size) {
		uint8_t *at = window(l, keep, small);
		ZSTD_outBuffer to = {at, CHUNK, 0};

		if (ZSTD_isError(ZSTD_decompressStream(context, &to, &in)))
			die("zstd");
		if (out)
			EVP_DigestUpdate(out, at, to.pos);
		l->tar_len += keep ? to.pos : 0;
	}
	ZSTD_freeDCtx(context);
	free(small);
}

static void digest_blob(const struct layer *l)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t digest[32];
	size_t at;

	EVP_DigestInit_ex(context, EVP_sha256(), NULL);
	for (at = 0; at < l->blob_len; at += 65536)
		EVP_DigestUpdate(context, l->blob + at,
				 l->blob_len - at < 65536 ? l->blob_len - at : 65536);
	EVP_DigestFinal_ex(context, digest, NULL);
	EVP_MD_CTX_free(context);
}

static void *decode(void *unused)
{
	(void)unused;
	for (;;) {
		EVP_MD_CTX *out = EVP_MD_CTX_new();
		uint8_t digest[32];
		struct layer *l;

		pthread_mutex_lock(&mutex);
		l = next_layer < layer_count ? &layers[next_layer++] : NULL;
		pthread_mutex_unlock(&mutex);
		if (!l) {
			EVP_MD_CTX_free(out);
			return NULL;
		}
		digest_blob(l);
		EVP_DigestInit_ex(out, EVP_sha256(), NULL);
		if (l->is_zstd)
			inflate_zstd(l, 0, out);
		else
			inflate_gzip(l, 0, out);
		EVP_DigestFinal_ex(out, digest, NULL);
		EVP_MD_CTX_free(out);
	}
}

static uint64_t octal(const char *field, size_t len)
{
	uint64_t value = 0;

	while (len-- && *field) {
		if (*field >= '0' && *field <= '7')
			value = value * 8 + (uint64_t)(*field - '0');
		field++;
	}
	return value;
}

static void write_one(int root, const char *name, const struct timespec times[2], char type,
		      mode_t mode, const uint8_t *data, size_t size, const char *target)
{
	int fd;

	if (type == '5') {
		mkdirat(root, name, mode | 0700);
	} else if (type == '2') {
		if (symlinkat(target, root, name) == 0)
			utimensat(root, name, times, AT_SYMLINK_NOFOLLOW);
	} else if (type == '1') {
		linkat(root, target, root, name, 0);
	} else if (type == '0' || type == '\0') {
		fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd < 0)
			return;
		while (size) {
			ssize_t n = write(fd, data, size);

			if (n <= 0)
				die(name);
			data += n;
			size -= (size_t)n;
		}
		futimens(fd, times);
		close(fd);
	}
}

/* Names longer than a header's are few; they are made under their short names. */
static void write_tar(int root, const struct layer *l)
{
	size_t at = 0;

	while (at + 512 <= l->tar_len && l->tar[at]) {
		const char *h = (const char *)l->tar + at;
		char name[300];
		uint64_t size = octal(h + 124, 12);
		const struct timespec times[2] = {{.tv_sec = (time_t)octal(h + 136, 12)},
						  {.tv_sec = (time_t)octal(h + 136, 12)}};

		if (h[345])
			snprintf(name, sizeof name, "%.155s/%.100s", h + 345, h);
		else
			snprintf(name, sizeof name, "%.100s", h);
		write_one(root, name, times, h[156], (mode_t)octal(h + 100, 8) & 07777,
			  l->tar + at + 512, size, h + 157);
		at += 512 + (size + 511) / 512 * 512;
	}
}

static void map_layer(const char *type, const char *path)
{
	struct layer *l = &layers[layer_count++];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	l->blob_len = (size_t)st.st_size;
	l->blob = mmap(NULL, l->blob_len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (l->blob == MAP_FAILED)
		die(path);
	l->is_zstd = strcmp(type, "zstd") == 0;
	close(fd);
}

int main(int argc, char **argv)
{
	double start, start_cpu, decode_wall, decode_cpu;
	pthread_t threads[2];
	int root, i;

	for (i = 2; i + 1 < argc && layer_count < LAYERS_MAX; i += 2)
		map_layer(argv[i], argv[i + 1]);
	start = wall();
	start_cpu = cpu();
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, decode, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	decode_wall = wall() - start;
	decode_cpu = cpu() - start_cpu;
	for (size_t n = 0; n < layer_count; n++) {
		if (layers[n].is_zstd)
			inflate_zstd(&layers[n], 1, NULL);
		else
			inflate_gzip(&layers[n], 1, NULL);
	}
	root = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (root < 0)
		die("directory");
	umask(0);
	start = wall();
	start_cpu = cpu();
	for (size_t n = 0; n < layer_count; n++)
		write_tar(root, &layers[n]);
	printf("%.4f %.4f %.4f %.4f\n", decode_wall, decode_cpu, wall() - start, cpu() - start_cpu);
	return 0;
}
