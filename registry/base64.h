/* SPDX-License-Identifier: Apache-2.0 */
/** @file base64.h Base64 is base's; this name stays for the files that include it. */
#ifndef SCAR_REGISTRY_BASE64_H
#define SCAR_REGISTRY_BASE64_H

#include "runtime/base/base64.h"

#endif
