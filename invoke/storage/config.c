/* SPDX-License-Identifier: Apache-2.0 */
/* From the keys `storage_providers`, `input` and `output` of a function definition to accounts and outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "invoke/storage/issued.h"
#include "invoke/storage/provider.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"
#include "runtime/base/yaml.h"

static const struct scar_storage_ops *const providers[] = {
	&scar_storage_s3,      &scar_storage_minio, &scar_storage_webdav,
	&scar_storage_onedata, &scar_storage_rucio, &scar_storage_local,
};
#define PROVIDERS (sizeof providers / sizeof providers[0])

/* SCAR's name of a provider in events, where it differs. */
#define DCACHE "dcache"

static const struct scar_storage_ops *find_ops(const char *type, size_t len)
{
	if (len == strlen(DCACHE) && memcmp(type, DCACHE, len) == 0)
		return &scar_storage_webdav;
	for (size_t i = 0; i < PROVIDERS; i++) {
		if (strlen(providers[i]->type) == len && memcmp(providers[i]->type, type, len) == 0)
			return providers[i];
	}
	return NULL;
}

static int no_memory(struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
}

static int refuse(const struct scar_yaml *node, const char *key, const char *why,
		  struct scar_err *err)
{
	return scar_err_set(err, SCAR_ERR_CONFIG, "line %u: %s: %s", scar_yaml_line(node), key,
			    why);
}

static int copy_scalar(const struct scar_yaml *node, const char *key, char **ret_text,
		       struct scar_err *err)
{
	const char *text = scar_yaml_text(node);

	if (!text || scar_yaml_type(node) == SCAR_YAML_NULL)
		return refuse(node, key, "is not a text", err);
	if (!*text)
		return refuse(node, key, "is empty", err);
	/* It may become part of a header field or a URL. */
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return refuse(node, key, "holds a control character", err);
	}
	*ret_text = strdup(text);
	return *ret_text ? 0 : no_memory(err);
}

/* ---- accounts ---- */

static void free_account(struct scar_storage_account *account)
{
	if (!account)
		return;
	free(account->name);
	free(account->endpoint);
	free(account->access_key);
	free(account->secret_key);
	free(account->session_token);
	free(account->region);
	free(account->token);
	free(account->login);
	free(account->password);
	free(account->space);
	free(account->refresh_token);
	free(account->token_endpoint);
	free(account->client_id);
	free(account->audience);
	free(account->scopes);
	free(account->unused);
	scar_storage_issued_free(account->issued);
	free(account);
}

static const struct scar_storage_account *find_account(const struct scar_storage *storage,
						       const char *name)
{
	for (size_t i = 0; i < storage->account_count; i++) {
		if (strcmp(storage->accounts[i]->name, name) == 0)
			return storage->accounts[i];
	}
	return NULL;
}

/* "type.id"; "type" alone has the id "default". dcache is another word for webdav. */
static int full_name(const char *name, char **ret_name, struct scar_err *err)
{
	size_t type_len = strcspn(name, ".");
	const struct scar_storage_ops *ops = find_ops(name, type_len);
	const char *id = name[type_len] ? name + type_len + 1 : "default";

	if (!ops || !*id)
		return scar_err_set(err, SCAR_ERR_CONFIG, "\"%.100s\" is no storage provider",
				    name);
	return asprintf(ret_name, "%s.%s", ops->type, id) < 0 ? no_memory(err) : 0;
}

static int set_key(struct scar_storage_account *account, const struct scar_yaml *key,
		   const struct scar_yaml *value, struct scar_err *err)
{
	const char *name = scar_yaml_text(key);
	bool truth = false;

	if (strcmp(name, "verify") == 0 || strcmp(name, "ssl_verify") == 0) {
		if (scar_yaml_bool(value, &truth) < 0)
			return refuse(value, name, "is neither true nor false", err);
		if (!truth)
			return refuse(value, name,
				      "certificates are always verified: name their authority in "
				      "SCAR_CA_BUNDLE",
				      err);
		return 0;
	}
	for (const struct scar_storage_key *known = account->ops->keys; known->name; known++) {
		char **member = (char **)(void *)((char *)account + known->offset);

		if (strcmp(known->name, name) == 0)
			return *member ? 0 : copy_scalar(value, name, member, err);
	}
	return refuse(key, name, "is no setting of this provider", err);
}

static int check_account(struct scar_storage_account *account,
			 const struct scar_storage_environment *environment, struct scar_err *err)
{
	size_t len;

	for (const struct scar_storage_key *known = account->ops->keys; known->name; known++) {
		const char *const *member =
			(const char *const *)(const void *)((const char *)account + known->offset);

		if (known->required && !*member)
			return scar_err_set(err, SCAR_ERR_CONFIG,
					    "line %u: %s: key \"%s\" is missing", account->line,
					    account->name, known->name);
	}
	if (account->ops->check(account, environment, err) < 0)
		return scar_err_wrap(err, "line %u: %s", account->line, account->name);
	len = account->endpoint ? strlen(account->endpoint) : 0;
	while (len > 1 && account->endpoint[len - 1] == '/')
		account->endpoint[--len] = '\0';
	return 0;
}

static int add_account(struct scar_storage *storage, const struct scar_storage_ops *ops,
		       const char *id, unsigned line, struct scar_storage_account **ret_account,
		       struct scar_err *err)
{
	struct scar_storage_account *account = calloc(1, sizeof *account);

	if (!account)
		return no_memory(err);
	storage->accounts[storage->account_count++] = account;
	account->ops = ops;
	account->line = line;
	*ret_account = account;
	if (asprintf(&account->name, "%s.%s", ops->type, id) >= 0)
		return 0;
	account->name = NULL;
	return no_memory(err);
}

static int read_account(struct scar_storage *storage, const struct scar_storage_ops *ops,
			const struct scar_yaml *id, const struct scar_yaml *settings,
			const struct scar_storage_environment *environment, struct scar_err *err)
{
	struct scar_storage_account *account = NULL;

	if (scar_yaml_type(settings) != SCAR_YAML_MAPPING)
		return refuse(settings, scar_yaml_text(id), "is not a mapping", err);
	if (storage->account_count == SCAR_STORAGE_ACCOUNTS_MAX)
		return refuse(id, "storage_providers", "has too many entries", err);
	if (add_account(storage, ops, scar_yaml_text(id), scar_yaml_line(id), &account, err) < 0)
		return -1;
	for (size_t i = 0; i < scar_yaml_size(settings); i++) {
		if (set_key(account, scar_yaml_key_at(settings, i), scar_yaml_at(settings, i),
			    err) < 0)
			return -1;
	}
	return check_account(account, environment, err);
}

static int read_providers(struct scar_storage *storage, const struct scar_yaml *list,
			  const struct scar_storage_environment *environment, struct scar_err *err)
{
	if (list && scar_yaml_type(list) != SCAR_YAML_MAPPING &&
	    scar_yaml_type(list) != SCAR_YAML_NULL)
		return refuse(list, "storage_providers", "is not a mapping", err);
	for (size_t i = 0; i < scar_yaml_size(list); i++) {
		const struct scar_yaml *type = scar_yaml_key_at(list, i);
		const struct scar_yaml *ids = scar_yaml_at(list, i);
		const char *name = scar_yaml_text(type);
		const struct scar_storage_ops *ops = find_ops(name, strlen(name));

		if (!ops)
			return refuse(type, name, "is no storage provider that is known here", err);
		if (scar_yaml_type(ids) != SCAR_YAML_MAPPING)
			return refuse(ids, name, "is not a mapping of names to settings", err);
		for (size_t j = 0; j < scar_yaml_size(ids); j++) {
			if (read_account(storage, ops, scar_yaml_key_at(ids, j),
					 scar_yaml_at(ids, j), environment, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* What needs no settings is there without being named: the role's S3, and local directories. */
static int add_defaults(struct scar_storage *storage,
			const struct scar_storage_environment *environment, struct scar_err *err)
{
	static const struct scar_storage_ops *const always[] = {&scar_storage_s3,
								&scar_storage_local};

	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
		struct scar_storage_account *account = NULL;
		char name[32];

		snprintf(name, sizeof name, "%s.default", always[i]->type);
		if (find_account(storage, name))
			continue;
		if (add_account(storage, always[i], "default", 0, &account, err) < 0 ||
		    check_account(account, environment, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- inputs and outputs ---- */

static int read_reference(const struct scar_storage *storage, const struct scar_yaml *entry,
			  const char *list, const struct scar_storage_account **ret_account,
			  struct scar_err *err)
{
	const struct scar_yaml *node = scar_yaml_get(entry, "storage_provider");
	const char *text = node ? scar_yaml_text(node) : "s3";
	scar_free_auto char *name = NULL;

	if (scar_yaml_type(entry) != SCAR_YAML_MAPPING)
		return refuse(entry, list, "an entry is not a mapping", err);
	if (!text)
		return refuse(node, "storage_provider", "is not a text", err);
	if (full_name(text, &name, err) < 0)
		return scar_err_wrap(err, "line %u: storage_provider", scar_yaml_line(entry));
	*ret_account = find_account(storage, name);
	if (!*ret_account)
		return refuse(entry, "storage_provider",
			      "names an account that storage_providers does not have", err);
	return 0;
}

static int read_list(const struct scar_yaml *node, const char *key, char ***ret_list,
		     struct scar_err *err)
{
	bool is_list = node && scar_yaml_type(node) == SCAR_YAML_SEQUENCE;
	size_t count = 0;

	if (is_list)
		count = scar_yaml_size(node);
	else if (node && scar_yaml_type(node) != SCAR_YAML_NULL)
		count = 1;
	*ret_list = calloc(count + 1, sizeof **ret_list);
	if (!*ret_list)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		if (copy_scalar(is_list ? scar_yaml_at(node, i) : node, key, &(*ret_list)[i], err) <
		    0)
			return -1;
	}
	return 0;
}

/* Slashes at the ends mean nothing, but for the one that makes a local path absolute. */
static int read_path(const struct scar_yaml *entry, struct scar_storage_output *output,
		     struct scar_err *err)
{
	const struct scar_yaml *node = scar_yaml_get(entry, "path");
	bool local = output->account->ops == &scar_storage_local;
	size_t begin, len;

	if (!node)
		return refuse(entry, "path", "is missing", err);
	if (copy_scalar(node, "path", &output->path, err) < 0)
		return -1;
	if (local && output->path[0] != '/')
		return refuse(node, "path", "of local storage must be absolute", err);
	begin = local ? 0 : strspn(output->path, "/");
	len = strlen(output->path);
	while (len > begin && output->path[len - 1] == '/')
		len--;
	if (len == begin)
		return refuse(node, "path", "names nothing", err);
	memmove(output->path, output->path + begin, len - begin);
	output->path[len - begin] = '\0';
	return 0;
}

static int read_output(struct scar_storage *storage, const struct scar_yaml *entry,
		       struct scar_err *err)
{
	struct scar_storage_output *output = &storage->outputs[storage->output_count];

	if (read_reference(storage, entry, "output", &output->account, err) < 0)
		return -1;
	storage->output_count++;
	if (read_path(entry, output, err) < 0 ||
	    read_list(scar_yaml_get(entry, "prefix"), "prefix", &output->prefixes, err) < 0)
		return -1;
	return read_list(scar_yaml_get(entry, "suffix"), "suffix", &output->suffixes, err);
}

static int check_entries(const struct scar_yaml *list, const char *key, struct scar_err *err)
{
	if (!list || scar_yaml_type(list) == SCAR_YAML_NULL)
		return 0;
	if (scar_yaml_type(list) != SCAR_YAML_SEQUENCE)
		return refuse(list, key, "is not a list", err);
	if (scar_yaml_size(list) > SCAR_STORAGE_ENTRIES_MAX)
		return refuse(list, key, "has too many entries", err);
	return 0;
}

static int read_entries(struct scar_storage *storage, const struct scar_yaml *definition,
			struct scar_err *err)
{
	const struct scar_yaml *inputs = scar_yaml_get(definition, "input");
	const struct scar_yaml *outputs = scar_yaml_get(definition, "output");

	if (check_entries(inputs, "input", err) < 0 || check_entries(outputs, "output", err) < 0)
		return -1;
	storage->inputs = calloc(scar_yaml_size(inputs) + 1, sizeof(void *));
	storage->outputs = calloc(scar_yaml_size(outputs) + 1, sizeof *storage->outputs);
	if (!storage->inputs || !storage->outputs)
		return no_memory(err);
	for (size_t i = 0; i < scar_yaml_size(inputs); i++) {
		if (read_reference(storage, scar_yaml_at(inputs, i), "input",
				   &storage->inputs[storage->input_count++], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < scar_yaml_size(outputs); i++) {
		if (read_output(storage, scar_yaml_at(outputs, i), err) < 0)
			return -1;
	}
	return 0;
}

int scar_storage_open(const struct scar_yaml *definition,
		      const struct scar_storage_environment *environment,
		      struct scar_storage **ret_storage, struct scar_err *err)
{
	struct scar_storage *storage = calloc(1, sizeof *storage);

	if (!storage)
		return no_memory(err);
	storage->ca_bundle = environment->ca_bundle;
	storage->accounts = calloc(SCAR_STORAGE_ACCOUNTS_MAX + 4, sizeof(void *));
	if (!storage->accounts) {
		scar_storage_close(storage);
		return no_memory(err);
	}
	if (read_providers(storage, scar_yaml_get(definition, "storage_providers"), environment,
			   err) < 0 ||
	    add_defaults(storage, environment, err) < 0 ||
	    read_entries(storage, definition, err) < 0) {
		scar_storage_close(storage);
		return -1;
	}
	*ret_storage = storage;
	return 0;
}

static void free_list(char **list)
{
	for (char **item = list; item && *item; item++)
		free(*item);
	free(list);
}

void scar_storage_close(struct scar_storage *storage)
{
	if (!storage)
		return;
	for (size_t i = 0; i < storage->account_count; i++)
		free_account(storage->accounts[i]);
	for (size_t i = 0; i < storage->output_count; i++) {
		free(storage->outputs[i].path);
		free_list(storage->outputs[i].prefixes);
		free_list(storage->outputs[i].suffixes);
	}
	free(storage->accounts);
	free(storage->outputs);
	free(storage->inputs);
	free(storage);
}

/* ---- the account of an event ---- */

static const struct scar_storage_account *by_type(const struct scar_storage *storage,
						  const struct scar_storage_ops *ops)
{
	const struct scar_storage_account *only = NULL;
	char name[64];

	for (size_t i = 0; i < storage->input_count; i++) {
		if (storage->inputs[i]->ops == ops)
			return storage->inputs[i];
	}
	snprintf(name, sizeof name, "%s.default", ops->type);
	if (find_account(storage, name))
		return find_account(storage, name);
	for (size_t i = 0; i < storage->account_count; i++) {
		if (storage->accounts[i]->ops != ops)
			continue;
		if (only)
			return NULL;
		only = storage->accounts[i];
	}
	return only;
}

int scar_storage_choose(const struct scar_storage *storage,
			const struct scar_storage_object *object,
			const struct scar_storage_account **ret_account, struct scar_err *err)
{
	const char *wanted = object->account ? object->account : object->provider;
	const struct scar_storage_ops *ops = find_ops(wanted, strcspn(wanted, "."));
	const struct scar_storage_account *account = NULL;
	scar_free_auto char *name = NULL;

	if (!ops)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "the event's storage provider \"%.100s\" is not known here",
				    wanted);
	if (object->account) {
		if (full_name(object->account, &name, err) < 0)
			return -1;
		account = find_account(storage, name);
	} else {
		account = by_type(storage, ops);
	}
	if (!account)
		return scar_err_set(err, SCAR_ERR_CONFIG,
				    "the event's file is in %.100s, which storage_providers does "
				    "not have (or more than once, and none is the input's)",
				    wanted);
	*ret_account = account;
	return 0;
}
