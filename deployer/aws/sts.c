/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/sts.h"

#include <stdio.h>
#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* "arn:aws:sts::123456789012:assumed-role/name/session" */
static int take_apart(struct scar_sts_identity *identity, struct scar_err *err)
{
	const char *slash = strrchr(identity->arn, '/'), *colon = strrchr(identity->arn, ':');
	const char *name = slash ? slash + 1 : colon ? colon + 1 : identity->arn;

	if (sscanf(identity->arn, "arn:%15[a-z-]:", identity->partition) != 1 ||
	    strlen(identity->account) != 12 || strspn(identity->account, "0123456789") != 12)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "sts GetCallerIdentity: not an identity: %.200s",
				    identity->arn);
	snprintf(identity->name, sizeof identity->name, "%.127s", name);
	return 0;
}

int scar_sts_get_identity(struct scar_aws *aws, struct scar_sts_identity *ret_identity,
			  struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form;
	struct scar_aws_call call = {.service = SCAR_AWS_STS, .operation = "GetCallerIdentity"};
	struct scar_sts_identity identity = {.account = ""};
	const struct scar_xml *result;
	const char *arn, *account, *user;

	scar_aws_answer_init(&answer);
	scar_buf_init(&form, SCAR_KIB(1));
	if (scar_aws_form(&form, call.service, call.operation, err) < 0)
		return -1;
	call.body = form.data;
	call.body_len = form.len;
	if (scar_aws_perform(aws, &call, &answer, err) < 0)
		return -1;
	result = scar_xml_at(answer.xml, "GetCallerIdentityResult");
	arn = scar_xml_text_at(result, "Arn");
	account = scar_xml_text_at(result, "Account");
	user = scar_xml_text_at(result, "UserId");
	snprintf(identity.arn, sizeof identity.arn, "%s", arn ? arn : "");
	snprintf(identity.account, sizeof identity.account, "%s", account ? account : "");
	snprintf(identity.user_id, sizeof identity.user_id, "%s", user ? user : "");
	if (take_apart(&identity, err) < 0)
		return -1;
	*ret_identity = identity;
	return 0;
}
