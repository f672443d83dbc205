/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file event_variables.h
 * What the program's environment says of the event, besides SCAR's own variables:
 *
 *   CONT_VAR_<name>  each query parameter whose name may be that of a variable; the first value of a name. With the prefix always, since
 *                    a stranger must not be able to set LD_PRELOAD.
 *   REQUEST_METHOD, PATH_INFO, QUERY_STRING, CONTENT_TYPE, CONTENT_LENGTH, HTTP_<FIELD>, ...  of an HTTP request as CGI has
 *                    them (RFC 3875), but for HTTP_PROXY, which programs mistake for a setting.
 *
 * A value that the kernel would not take is left out.
 */
#ifndef SCAR_INVOKE_EVENT_VARIABLES_H
#define SCAR_INVOKE_EVENT_VARIABLES_H

#include <stddef.h>

struct scar_err;
struct scar_event;
struct scar_list;

/** All of them together, names included. */
#define SCAR_EVENT_VARIABLES_BYTES (256 * 1024)

/** Adds "NAME=value" to `list`. event NULL, or not of HTTP: none. */
int scar_event_variables(const struct scar_event *event, size_t body_len, struct scar_list *list,
			 struct scar_err *err);

#endif
