/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulls one image into a store and says how long that took: pull_run [-p] [-c CA-BUNDLE] [-l LAYERS-IN-FLIGHT] STORE REFERENCE
 * -p: the registry speaks plain HTTP, though it is not on this machine's loopback.
 * Prints one line: resolve_us N get_us N pulled N unpacked N cached 0|1 peak_kib N rootfs PATH
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "extractor/store.h"
#include "registry/client.h"
#include "registry/manifest.h"
#include "registry/ref.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"

static int fetch(void *ctx, const struct scar_descriptor *layer, scar_http_sink sink,
		 void *sink_ctx, struct scar_err *err)
{
	return scar_source_blob(ctx, layer, sink, sink_ctx, err);
}

/* Of this program alone: what getrusage(2) tells includes the one that started it. */
static long peak_kib(void)
{
	char line[256];
	long value = 0;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof line, status)) {
		if (sscanf(line, "VmHWM: %ld", &value) == 1)
			break;
	}
	if (status)
		fclose(status);
	return value;
}

struct options {
	const char *ca_bundle;
	unsigned in_flight;
	bool allow_plain;
};

static int pull(const char *dir, const char *text, const struct options *options,
		struct scar_err *err)
{
	static volatile int cancel;
	const struct scar_source_options source_options = {.ca_bundle = options->ca_bundle,
							   .retry_delay_ms = 50,
							   .allow_plain = options->allow_plain,
							   .cancel = &cancel};
	const struct scar_store_options store_options = {.cancel = &cancel,
							 .layers_in_flight = options->in_flight};
	scar_ref_auto struct scar_ref ref = {.path = NULL};
	scar_store_auto struct scar_store *store = NULL;
	scar_source_auto struct scar_source *source = NULL;
	scar_image_auto struct scar_image *image = NULL;
	scar_store_entry_auto struct scar_store_entry *entry = NULL;
	int64_t start_us = scar_clock_monotonic_us(), resolved_us;

	if (scar_store_open(dir, &store_options, &store, err) < 0 ||
	    scar_ref_parse(text, &ref, err) < 0 ||
	    scar_source_open(&ref, &source_options, &source, err) < 0 ||
	    scar_source_resolve(source, &image, err) < 0)
		return -1;
	resolved_us = scar_clock_monotonic_us();
	if (scar_store_get(store, image, fetch, source, &entry, err) < 0)
		return -1;
	printf("resolve_us %" PRId64 " get_us %" PRId64 " pulled %" PRIu64 " unpacked %" PRIu64
	       " cached %d peak_kib %ld rootfs %s\n",
	       resolved_us - start_us, scar_clock_monotonic_us() - resolved_us, entry->pulled_bytes,
	       entry->unpacked_bytes, entry->was_cached, peak_kib(), entry->rootfs_path);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {.ca_bundle = NULL};
	struct scar_err err;
	int option;

	while ((option = getopt(argc, argv, "pc:l:")) != -1) {
		if (option == 'c')
			options.ca_bundle = optarg;
		else if (option == 'l')
			options.in_flight = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'p')
			options.allow_plain = true;
		else
			return 64;
	}
	if (argc - optind != 2)
		return 64;
	if (pull(argv[optind], argv[optind + 1], &options, &err) == 0)
		return 0;
	fprintf(stderr, "pull_run: [%s] %s\n", scar_err_info(err.kind)->name, err.msg);
	return scar_err_info(err.kind)->exit_code;
}
