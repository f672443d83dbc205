/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file limits.h
 * Every bound on what comes from outside, in one place. docs/limits.md names those that a
 * user can meet.
 */
#ifndef SCAR_RUNTIME_BASE_LIMITS_H
#define SCAR_RUNTIME_BASE_LIMITS_H

#define SCAR_KIB(n) ((size_t)(n) << 10)
#define SCAR_MIB(n) ((size_t)(n) << 20)

/* Lambda: 6 MiB and 100 bytes, above which /response answers 413. */
#define SCAR_LIMIT_RESPONSE_BYTES ((size_t)6 * 1024 * 1024 + 100)
#define SCAR_LIMIT_EVENT_BYTES SCAR_LIMIT_RESPONSE_BYTES
/* An error document carries the tail of stderr; Lambda keeps at most 256 KiB of asynchronous payload. */
#define SCAR_LIMIT_STDERR_TAIL_BYTES SCAR_KIB(4)

/* HTTP */
#define SCAR_LIMIT_HTTP_HEADER_BYTES SCAR_KIB(64)
#define SCAR_LIMIT_HTTP_HEADERS 128
#define SCAR_LIMIT_URL_BYTES SCAR_KIB(16)
#define SCAR_LIMIT_REDIRECTS 5
#define SCAR_LIMIT_RETRIES 4

/* JSON */
#define SCAR_LIMIT_JSON_BYTES SCAR_MIB(8)
#define SCAR_LIMIT_JSON_DEPTH 64
#define SCAR_LIMIT_JSON_VALUES 1000000 /* each takes 80 bytes of memory */

/* YAML: what people write by hand. Nodes count as if each alias were written out. */
#define SCAR_LIMIT_YAML_BYTES SCAR_MIB(1)
#define SCAR_LIMIT_YAML_DEPTH 48
#define SCAR_LIMIT_YAML_NODES 20000

/* OCI: a registry must accept manifests up to 4 MiB (distribution-spec, "Pushing Manifests"). */
#define SCAR_LIMIT_MANIFEST_BYTES SCAR_MIB(4)
#define SCAR_LIMIT_CONFIG_BYTES SCAR_MIB(8)
#define SCAR_LIMIT_TOKEN_BYTES SCAR_KIB(64)
#define SCAR_LIMIT_LAYERS 512
#define SCAR_LIMIT_INDEX_DEPTH 4
#define SCAR_LIMIT_INDEX_ENTRIES 1024
#define SCAR_LIMIT_REFERENCE_BYTES 1024

/* Layers */
#define SCAR_LIMIT_TAR_ENTRIES 4000000
/* Decoders should take 2^23 (RFC 8878, 3.1.1.1.2), more is theirs to choose; this is what 64 MiB of memory allow. */
#define SCAR_LIMIT_ZSTD_WINDOW_LOG 25
#define SCAR_LIMIT_PATH_BYTES 4096 /* PATH_MAX */

/* Program arguments and environment of an image config or event, as ARG_MAX on Linux. */
#define SCAR_LIMIT_ARGS 4096
#define SCAR_LIMIT_ARG_BYTES SCAR_KIB(128)

#endif
