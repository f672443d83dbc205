/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file protocol.h
 * Names of the Lambda Runtime API (version 2018-06-01): paths, header fields, error types and
 * limits. Shared by our client and by the emulator's server, so that each is written once.
 *
 * Source: AWS Lambda developer guide, "Using the Lambda runtime API" and "Building a custom
 * runtime".
 */
#ifndef SCAR_RUNTIME_API_PROTOCOL_H
#define SCAR_RUNTIME_API_PROTOCOL_H

#define SCAR_API_PREFIX "/2018-06-01"
#define SCAR_API_NEXT SCAR_API_PREFIX "/runtime/invocation/next"
/** Followed by the request id and one of the two suffixes. */
#define SCAR_API_INVOCATION SCAR_API_PREFIX "/runtime/invocation/"
#define SCAR_API_RESPONSE_SUFFIX "/response"
#define SCAR_API_ERROR_SUFFIX "/error"
#define SCAR_API_INIT_ERROR SCAR_API_PREFIX "/runtime/init/error"

/** Fields of the answer to `next`; each is there only if it has a value. */
#define SCAR_API_REQUEST_ID "Lambda-Runtime-Aws-Request-Id"
#define SCAR_API_DEADLINE_MS "Lambda-Runtime-Deadline-Ms"
#define SCAR_API_FUNCTION_ARN "Lambda-Runtime-Invoked-Function-Arn"
#define SCAR_API_TRACE_ID "Lambda-Runtime-Trace-Id"
#define SCAR_API_CLIENT_CONTEXT "Lambda-Runtime-Client-Context"
#define SCAR_API_COGNITO_IDENTITY "Lambda-Runtime-Cognito-Identity"
#define SCAR_API_TENANT_ID "Lambda-Runtime-Aws-Tenant-Id"

/** Fields of what the runtime posts. The two of an error are trailers in a streamed response. */
#define SCAR_API_RESPONSE_MODE "Lambda-Runtime-Function-Response-Mode"
#define SCAR_API_RESPONSE_MODE_STREAMING "streaming"
#define SCAR_API_ERROR_TYPE "Lambda-Runtime-Function-Error-Type"
/** base64 of the error document. */
#define SCAR_API_ERROR_BODY "Lambda-Runtime-Function-Error-Body"

/** The runtime sets this variable anew for each invocation (or removes it). */
#define SCAR_API_TRACE_VARIABLE "_X_AMZN_TRACE_ID"

/** errorType of what the service itself says about an invocation. */
#define SCAR_API_TYPE_EXIT "Runtime.ExitError"
#define SCAR_API_TYPE_TIMEOUT "Sandbox.Timedout"
#define SCAR_API_TYPE_TOO_LARGE "Function.ResponseSizeTooLarge"
#define SCAR_API_TYPE_TRUNCATED "Runtime.TruncatedResponse"

#define SCAR_API_CONTENT_TYPE_JSON "application/json"
#define SCAR_API_CONTENT_TYPE_BYTES "application/octet-stream"
#define SCAR_API_CONTENT_TYPE_ERROR "application/vnd.aws.lambda.error+json"

#endif
