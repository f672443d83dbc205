/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/layer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "deployer/arguments.h"
#include "deployer/aws/lambda.h"
#include "deployer/beside.h"
#include "runtime/base/digest.h"
#include "runtime/base/err.h"
#include "runtime/base/fs.h"
#include "runtime/base/json.h"
#include "runtime/base/version.h"
#include "runtime/base/zip.h"

#define ELF_HEADER_BYTES 20
#define ELF_MACHINE_AT 18
#define ELF_X86_64 62
#define ELF_AARCH64 183
/* What zip can tell at the earliest: the same bytes each time. */
#define ZIP_TIME 315532800
#define LICENSE "Apache-2.0"

const char *scar_layer_host_architecture(void)
{
#ifdef __aarch64__
	return "arm64";
#else
	return "x86_64";
#endif
}

static int check_machine(const struct scar_buf *elf, const char *path, const char *architecture,
			 struct scar_err *err)
{
	unsigned wanted = strcmp(architecture, "arm64") == 0 ? ELF_AARCH64 : ELF_X86_64;
	const unsigned char *data = (const unsigned char *)elf->data;

	if (elf->len < ELF_HEADER_BYTES || memcmp(data, "\177ELF", 4) != 0)
		return scar_err_set(err, SCAR_ERR_CONFIG, "%s is no program", path);
	if ((unsigned)(data[ELF_MACHINE_AT] | data[ELF_MACHINE_AT + 1] << 8) == wanted)
		return 0;
	return scar_err_set(err, SCAR_ERR_PLATFORM,
			    "%s is not for %s: name the runtime for it with --bootstrap or --layer",
			    path, architecture);
}

int scar_layer_read_bootstrap(const struct scar_arguments *arguments, const char *architecture,
			      struct scar_buf *bytes, struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_BOOTSTRAP);
	char found[PATH_MAX];

	if (!path && scar_beside("bootstrap", found, err) < 0)
		return -1;
	path = path ? path : found;
	if (scar_fs_read_file(AT_FDCWD, path, bytes, err) < 0)
		return scar_err_wrap(err, "the runtime (--bootstrap)");
	return check_machine(bytes, path, architecture, err);
}

static int zip_bootstrap(const struct scar_arguments *arguments, const char *architecture,
			 struct scar_buf *ret_zip, struct scar_err *err)
{
	scar_buf_auto struct scar_buf bytes;
	scar_zip_auto struct scar_zip zip;

	scar_buf_init(&bytes, SCAR_LAYER_BYTES_MAX);
	scar_zip_begin(&zip, ret_zip);
	if (scar_layer_read_bootstrap(arguments, architecture, &bytes, err) < 0 ||
	    scar_zip_add_data(&zip, "bootstrap", bytes.data, bytes.len, 0755, ZIP_TIME, err) < 0)
		return -1;
	return scar_zip_end(&zip, err);
}

static int read_zip(const struct scar_arguments *arguments, const char *architecture,
		    struct scar_buf *zip, struct scar_err *err)
{
	const char *path = scar_arguments_get(arguments, SCAR_OPTION_LAYER_ZIP);
	char name[64], found[PATH_MAX];

	if (path)
		return scar_fs_read_file(AT_FDCWD, path, zip, err);
	if (scar_arguments_has(arguments, SCAR_OPTION_BOOTSTRAP))
		return zip_bootstrap(arguments, architecture, zip, err);
	snprintf(name, sizeof name, SCAR_LAYER_NAME "-%s.zip", architecture);
	if (scar_beside(name, found, err) < 0)
		return -1;
	if (scar_fs_read_file(AT_FDCWD, found, zip, err) == 0)
		return 0;
	return err->kind == SCAR_ERR_NOT_FOUND ? zip_bootstrap(arguments, architecture, zip, err)
					       : -1;
}

int scar_layer_read(const struct scar_arguments *arguments, const char *architecture,
		    struct scar_layer *ret_layer, struct scar_err *err)
{
	scar_layer_auto struct scar_layer layer = {.architecture = architecture};
	struct scar_digest digest;
	char hex[SCAR_DIGEST_TEXT_MAX];

	scar_buf_init(&layer.zip, SCAR_LAYER_BYTES_MAX);
	if (read_zip(arguments, architecture, &layer.zip, err) < 0)
		return scar_err_wrap(err, "the layer");
	if (scar_digest_of(SCAR_DIGEST_SHA256, layer.zip.data, layer.zip.len, &digest, err) < 0)
		return -1;
	snprintf(layer.description, sizeof layer.description, SCAR_VERSION " %s %.16s",
		 architecture, scar_digest_hex(&digest, hex));
	*ret_layer = layer;
	scar_buf_init(&layer.zip, 0);
	return 0;
}

void scar_layer_clear(struct scar_layer *layer)
{
	scar_buf_clear(&layer->zip);
}

/* ---- AWS ---- */

struct search {
	const char *description;
	char *arn;
};

static int look(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	struct search *search = ctx;
	const char *description = scar_json_string(scar_json_get(item, "Description"));
	const char *arn = scar_json_string(scar_json_get(item, "LayerVersionArn"));

	if (search->arn || !description || !arn || strcmp(description, search->description) != 0)
		return 0;
	search->arn = strdup(arn);
	return search->arn ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

int scar_layer_find(struct scar_aws *aws, const char *name, const struct scar_layer *layer,
		    char **ret_arn, struct scar_err *err)
{
	struct search search = {.description = layer->description};

	if (scar_lambda_list_layer_versions(aws, name ? name : SCAR_LAYER_NAME, look, &search,
					    err) < 0 &&
	    err->kind != SCAR_ERR_NOT_FOUND) {
		free(search.arn);
		return -1;
	}
	*ret_arn = search.arn;
	return 0;
}

struct version_search {
	const char *version, *architecture;
	char *arn;
};

/* "7", or "0.1.0" of "0.1.0 x86_64 1234". */
static int look_for_version(void *ctx, const struct scar_json *item, struct scar_err *err)
{
	struct version_search *search = ctx;
	const char *description = scar_json_string(scar_json_get(item, "Description"));
	const char *arn = scar_json_string(scar_json_get(item, "LayerVersionArn"));
	size_t len = strlen(search->version);
	const char *number = arn ? strrchr(arn, ':') : NULL;
	bool described = description && strncmp(description, search->version, len) == 0 &&
			 description[len] == ' ' &&
			 strncmp(description + len + 1, search->architecture,
				 strlen(search->architecture)) == 0;

	if (search->arn || !number || (!described && strcmp(number + 1, search->version) != 0))
		return 0;
	search->arn = strdup(arn);
	return search->arn ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

int scar_layer_find_version(struct scar_aws *aws, const char *name, const char *version,
			    const char *architecture, char **ret_arn, struct scar_err *err)
{
	struct version_search search = {.version = version, .architecture = architecture};

	if (!name)
		name = SCAR_LAYER_NAME;
	if (scar_lambda_list_layer_versions(aws, name, look_for_version, &search, err) < 0 &&
	    err->kind != SCAR_ERR_NOT_FOUND) {
		free(search.arn);
		return -1;
	}
	if (!search.arn)
		return scar_err_set(err, SCAR_ERR_NOT_FOUND, "layer %s has no version %s for %s",
				    name, version, architecture);
	*ret_arn = search.arn;
	return 0;
}

int scar_layer_publish(struct scar_aws *aws, const char *name, const struct scar_layer *layer,
		       char **ret_arn, struct scar_err *err)
{
	const struct scar_lambda_layer wanted = {
		.name = name ? name : SCAR_LAYER_NAME,
		.description = layer->description,
		.license = LICENSE,
		.runtimes = (const char *const[]){"provided.al2023", "provided.al2", NULL},
		.architectures = (const char *const[]){layer->architecture, NULL},
		.code = {.zip = layer->zip.data, .zip_len = layer->zip.len},
	};
	scar_json_auto struct scar_json *answer = NULL;
	const char *arn;

	if (scar_lambda_publish_layer(aws, &wanted, &answer, err) < 0 ||
	    scar_json_need_string(answer, "LayerVersionArn", "PublishLayerVersion", &arn, err) < 0)
		return -1;
	*ret_arn = strdup(arn);
	return *ret_arn ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}
