/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/network.h"

#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* More zones, or groups called "default" in one VPC, than there are. */
#define ITEMS_MAX 64

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void scar_network_clear(struct scar_network *network)
{
	free_list(network->subnets);
	free_list(network->groups);
	*network = (struct scar_network){.subnets = NULL};
}

/* Asks with filters, NULL-terminated pairs of a name and a value. */
static int ask(struct scar_aws *aws, const char *operation, const char *const (*filters)[2],
	       struct scar_aws_answer *answer, struct scar_err *err)
{
	struct scar_aws_call call = {.service = SCAR_AWS_EC2, .operation = operation};
	scar_buf_auto struct scar_buf form;

	scar_buf_init(&form, SCAR_KIB(4));
	if (scar_aws_form(&form, SCAR_AWS_EC2, operation, err) < 0)
		return -1;
	for (int n = 1; (*filters)[0]; filters++, n++) {
		if (scar_buf_printf(&form, err, "&Filter.%d.Name=%s&Filter.%d.Value.1=%s", n,
				    (*filters)[0], n, (*filters)[1]) < 0)
			return -1;
	}
	call.body = form.data;
	call.body_len = form.len;
	return scar_aws_perform(aws, &call, answer, err);
}

/* The text of `name` in each item of the answer's set. */
static int take_list(const struct scar_aws_answer *answer, const char *set, const char *name,
		     char ***ret_list, struct scar_err *err)
{
	const struct scar_xml *item = scar_xml_first(scar_xml_at(answer->xml, set), "item");
	char **list = calloc(ITEMS_MAX + 1, sizeof *list);
	size_t count = 0;

	if (!list)
		return scar_err_set(err, SCAR_ERR_NOMEM, "out of memory");
	for (; item && count < ITEMS_MAX; item = scar_xml_next(item, "item")) {
		const char *text = scar_xml_text_at(item, name);

		if (text && scar_aws_copy(text, &list[count++], err) < 0) {
			free_list(list);
			return -1;
		}
	}
	*ret_list = list;
	return 0;
}

static int find_subnets(struct scar_aws *aws, struct scar_network *network, char vpc[64],
			struct scar_err *err)
{
	static const char *const filters[][2] = {{"default-for-az", "true"}, {NULL, NULL}};
	scar_aws_answer_auto struct scar_aws_answer answer;
	const char *found;

	scar_aws_answer_init(&answer);
	if (ask(aws, "DescribeSubnets", filters, &answer, err) < 0 ||
	    take_list(&answer, "subnetSet", "subnetId", &network->subnets, err) < 0)
		return -1;
	found = scar_xml_text_at(answer.xml, "subnetSet/item/vpcId");
	/* It goes back as it is. */
	if (!network->subnets[0] || !found || strlen(found) >= 64 ||
	    strspn(found, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(found))
		return scar_err_set(
			err, SCAR_ERR_CONFIG,
			"this region has no default VPC: name subnets and security groups");
	memcpy(vpc, found, strlen(found) + 1);
	return 0;
}

static int find_groups(struct scar_aws *aws, struct scar_network *network, const char *vpc,
		       struct scar_err *err)
{
	const char *const filters[][2] = {{"group-name", "default"}, {"vpc-id", vpc}, {NULL, NULL}};
	scar_aws_answer_auto struct scar_aws_answer answer;

	scar_aws_answer_init(&answer);
	if (ask(aws, "DescribeSecurityGroups", filters, &answer, err) < 0 ||
	    take_list(&answer, "securityGroupInfo", "groupId", &network->groups, err) < 0)
		return -1;
	return network->groups[0]
		       ? 0
		       : scar_err_set(err, SCAR_ERR_CONFIG,
				      "the default VPC %s has no default security group", vpc);
}

int scar_network_find(struct scar_aws *aws, struct scar_network *ret_network, struct scar_err *err)
{
	struct scar_network network = {.subnets = NULL};
	char vpc[64];

	if (find_subnets(aws, &network, vpc, err) < 0 || find_groups(aws, &network, vpc, err) < 0) {
		scar_network_clear(&network);
		return -1;
	}
	*ret_network = network;
	return 0;
}
