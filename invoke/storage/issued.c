/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/storage/issued.h"

#include <stdlib.h>
#include <string.h>

#include "invoke/storage/exchange.h"
#include "runtime/base/clock.h"
#include "runtime/base/err.h"
#include "runtime/base/json.h"
#include "runtime/base/limits.h"
#include "runtime/base/sigv4.h"

/* A token this near to its end is not used any more. */
#define MARGIN_MS 30000
/* Of a token that does not tell its life. */
#define LIFE_MS 300000

int scar_storage_issued_prepare(struct scar_storage_account *account, struct scar_err *err)
{
	account->issued = calloc(1, sizeof *account->issued);
	if (!account->issued)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	pthread_mutex_init(&account->issued->mutex, NULL);
	return 0;
}

void scar_storage_issued_free(struct scar_storage_token *token)
{
	if (!token)
		return;
	free(token->access);
	free(token->refresh);
	pthread_mutex_destroy(&token->mutex);
	free(token);
}

static int append_field(struct scar_buf *form, const char *name, const char *value,
			struct scar_err *err)
{
	if (!value)
		return 0;
	if (form->len > 0 && scar_buf_append_char(form, '&', err) < 0)
		return -1;
	if (scar_buf_printf(form, err, "%s=", name) < 0)
		return -1;
	return scar_sigv4_encode(form, value, strlen(value), "", err);
}

static int append_form(const struct scar_storage_account *account, struct scar_buf *form,
		       struct scar_err *err)
{
	const char *newest = account->issued->refresh;

	if (append_field(form, "grant_type", "refresh_token", err) < 0 ||
	    append_field(form, "refresh_token", newest ? newest : account->refresh_token, err) <
		    0 ||
	    append_field(form, "client_id",
			 account->client_id ? account->client_id : "token-portal", err) < 0 ||
	    append_field(form, "audience", account->audience, err) < 0)
		return -1;
	return append_field(form, "scope", account->scopes, err);
}

/* A token may become part of a header field. */
static bool is_token(const char *text)
{
	bool good = text && *text;

	for (; good && *text; text++)
		good = *text > ' ' && *text < 0x7f;
	return good;
}

static int keep(struct scar_storage_token *token, const struct scar_json *answer,
		struct scar_err *err)
{
	const char *access = scar_json_string(scar_json_get(answer, "access_token"));
	const char *refresh = scar_json_string(scar_json_get(answer, "refresh_token"));
	int64_t life_s = 0;

	if (!is_token(access))
		return scar_err_set(err, SCAR_ERR_AUTH, "the token server gives no access_token");
	if (scar_json_int(scar_json_get(answer, "expires_in"), &life_s) < 0 || life_s <= 0 ||
	    life_s > INT32_MAX)
		life_s = LIFE_MS / 1000;
	free(token->access);
	token->access = strdup(access);
	if (is_token(refresh)) {
		free(token->refresh);
		token->refresh = strdup(refresh);
	}
	token->expires_ms = scar_clock_epoch_ms() + life_s * 1000;
	return token->access ? 0 : scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int renew(const struct scar_storage_transfer *transfer, struct scar_err *err)
{
	const struct scar_storage_account *account = transfer->account;
	scar_exchange_auto struct scar_exchange exchange = {
		.transfer = transfer,
		.what = "(a new access token)",
		.method = "POST",
		.url = account->token_endpoint,
	};
	scar_json_auto struct scar_json *answer = NULL;
	scar_buf_auto struct scar_buf form;

	scar_buf_init(&form, SCAR_KIB(64));
	scar_exchange_header(&exchange, "Content-Type", "application/x-www-form-urlencoded");
	if (append_form(account, &form, err) < 0)
		return -1;
	exchange.body = form.data;
	exchange.body_len = form.len;
	if (scar_exchange_perform(&exchange, err) < 0)
		return -1;
	if (scar_json_parse(exchange.response.body.data, exchange.response.body.len,
			    "the token server's answer", &answer, err) < 0)
		return -1;
	return keep(account->issued, answer, err);
}

int scar_storage_issued_get(const struct scar_storage_transfer *transfer, struct scar_buf *text,
			    struct scar_err *err)
{
	struct scar_storage_token *token = transfer->account->issued;
	int failed = 0;

	pthread_mutex_lock(&token->mutex);
	if (!token->access || token->expires_ms - MARGIN_MS < scar_clock_epoch_ms())
		failed = renew(transfer, err);
	if (!failed)
		failed = scar_buf_append_str(text, token->access, err);
	pthread_mutex_unlock(&token->mutex);
	return failed;
}
