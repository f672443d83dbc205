/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves an image and streams its layers, for tests against real registries and for looking at one by hand:
 *
 *   registry_probe [-u USER:PASSWORD] [-c CONFIG.JSON] [-s SECRET] [-m MIRRORS] [-a AWS-URL] [-p PLATFORM] [-j THREADS] [-i] [-o DIR] [-v] REFERENCE
 *
 * -i: plain http anywhere; -o: keep the blobs in DIR under their hex digest; -v: show what is retried. Prints
 * "name value" lines; exits as the scar command line does for the kind of error.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/client.h"
#include "registry/ref.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/log.h"

struct pull {
	struct scar_source *source;
	const struct scar_image *image;
	const char *dir;
	pthread_mutex_t lock;
	size_t next;
	int failed;
	struct scar_err err;
};

static int write_sink(void *ctx, const void *data, size_t len, struct scar_err *err)
{
	const int *fd = ctx;

	if (*fd >= 0 && write(*fd, data, len) != (ssize_t)len)
		return scar_err_set(err, SCAR_ERR_IO, "write failed");
	return 0;
}

static int pull_layer(struct pull *pull, const struct scar_descriptor *layer, struct scar_err *err)
{
	char hex[SCAR_DIGEST_TEXT_MAX], path[4096];
	scar_fd_auto int fd = -1;

	if (pull->dir) {
		snprintf(path, sizeof(path), "%s/%s", pull->dir,
			 scar_digest_hex(&layer->digest, hex));
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			return scar_err_set(err, SCAR_ERR_IO, "cannot write %s", path);
	}
	return scar_source_blob(pull->source, layer, write_sink, &fd, err);
}

static void *work(void *arg)
{
	struct pull *pull = arg;

	for (;;) {
		struct scar_err err;
		size_t i;

		pthread_mutex_lock(&pull->lock);
		i = pull->next++;
		pthread_mutex_unlock(&pull->lock);
		if (i >= pull->image->layer_count)
			return NULL;
		if (pull_layer(pull, &pull->image->layers[i], &err) < 0) {
			pthread_mutex_lock(&pull->lock);
			pull->failed = 1;
			pull->err = err;
			pthread_mutex_unlock(&pull->lock);
		}
	}
}

static int pull_layers(struct pull *pull, int threads, struct scar_err *err)
{
	pthread_t ids[32];

	pthread_mutex_init(&pull->lock, NULL);
	if (threads < 1 || threads > 32)
		return scar_err_set(err, SCAR_ERR_CONFIG, "1 to 32 threads");
	for (int i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, work, pull) != 0)
			return scar_err_set(err, SCAR_ERR_INTERNAL, "no thread");
	}
	for (int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	if (pull->failed)
		*err = pull->err;
	return pull->failed ? -1 : 0;
}

static void print_list(const char *name, char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		printf("%s %s\n", name, list[i]);
}

static void print_image(const struct scar_image *image)
{
	char text[SCAR_DIGEST_TEXT_MAX];

	printf("manifest %s %s\n", scar_digest_format(&image->manifest.digest, text),
	       image->manifest.media_type);
	printf("config %s\n", scar_digest_format(&image->config_desc.digest, text));
	for (size_t i = 0; i < image->layer_count; i++) {
		printf("layer %s %llu %s\n", scar_digest_format(&image->layers[i].digest, text),
		       (unsigned long long)image->layers[i].size_bytes,
		       image->layers[i].media_type);
		printf("diff_id %s\n", scar_digest_format(&image->config.diff_ids[i], text));
	}
	printf("platform %s/%s\n", image->config.os ? image->config.os : "?",
	       image->config.architecture ? image->config.architecture : "?");
	print_list("env", image->config.env);
	print_list("entrypoint", image->config.entrypoint);
	print_list("cmd", image->config.cmd);
}

static int probe(const char *text, const struct scar_source_options *options, int threads,
		 const char *dir, struct scar_err *err)
{
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	struct scar_source_stats stats;
	struct pull pull = {.dir = dir};
	int64_t start_us = scar_clock_monotonic_us();
	int result;

	if (scar_ref_parse(text, &ref, err) < 0 ||
	    scar_source_open(&ref, options, &source, err) < 0)
		return -1;
	result = scar_source_resolve(source, &image, err);
	if (result == 0) {
		print_image(image);
		printf("resolve_us %lld\n", (long long)(scar_clock_monotonic_us() - start_us));
		start_us = scar_clock_monotonic_us();
		pull.source = source;
		pull.image = image;
		result = pull_layers(&pull, threads, err);
		printf("pull_us %lld\n", (long long)(scar_clock_monotonic_us() - start_us));
	}
	scar_source_stats(source, &stats);
	printf("requests %llu\nbytes %llu\nretries %llu\n", (unsigned long long)stats.requests,
	       (unsigned long long)stats.bytes_received, (unsigned long long)stats.retries);
	return result;
}

int main(int argc, char **argv)
{
	struct scar_source_options options = {.retry_delay_ms = 100};
	struct scar_log_options log = {.level = SCAR_LOG_WARN, .program = "registry_probe"};
	const char *dir = NULL;
	struct scar_err err;
	int threads = 2, option;
	char *colon;

	while ((option = getopt(argc, argv, "u:c:s:m:a:p:j:io:v")) != -1) {
		switch (option) {
		case 'u':
			colon = strchr(optarg, ':');
			if (colon)
				*colon = '\0';
			options.username = optarg;
			options.password = colon ? colon + 1 : "";
			break;
		case 'c': options.docker_config = optarg; break;
		case 's': options.secret = optarg; break;
		case 'm': options.mirrors = optarg; break;
		case 'a': options.aws_endpoint = optarg; break;
		case 'p': options.platform = optarg; break;
		case 'j': threads = (int)strtol(optarg, NULL, 10); break;
		case 'i': options.allow_plain = true; break;
		case 'o': dir = optarg; break;
		case 'v': log.level = SCAR_LOG_DEBUG; break;
		default: return 64;
		}
	}
	if (optind + 1 != argc)
		return 64;
	scar_log_setup(&log);
	if (probe(argv[optind], &options, threads, dir, &err) == 0)
		return 0;
	fprintf(stderr, "%s: %s\n", scar_err_info(err.kind)->name, err.msg);
	return scar_err_info(err.kind)->exit_code;
}
