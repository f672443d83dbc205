/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file decoder_formats.h
 * The formats behind decoder.h; private to it. A format keeps its state in what create() gives.
 */
#ifndef SCAR_EXTRACTOR_DECODER_FORMATS_H
#define SCAR_EXTRACTOR_DECODER_FORMATS_H

#include "extractor/decoder.h"

struct scar_decoder_format {
	enum scar_layer_compression compression;
	void *(*create)(const struct scar_decoder_sink *sink, struct scar_err *err);
	void (*free)(void *state);
	int (*push)(void *state, const struct scar_decoder_sink *sink, const uint8_t *data,
		    size_t len, struct scar_err *err);
	int (*finish)(void *state, const struct scar_decoder_sink *sink, struct scar_err *err);
};

extern const struct scar_decoder_format scar_decoder_gzip;
extern const struct scar_decoder_format scar_decoder_zstd;

#endif
