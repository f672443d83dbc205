/* SPDX-License-Identifier: Apache-2.0 */
/* Instance profiles: how a machine of EC2 gets a role. */
#include <string.h>

#include "deployer/aws/iam.h"
#include "deployer/aws/iam_private.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"

static int take_profile(const struct scar_aws_answer *answer, const char *result, char **ret_arn,
			bool *ret_has_role, struct scar_err *err)
{
	const struct scar_xml *profile = scar_xml_at(scar_xml_at(answer->xml, result),
						     "InstanceProfile");
	const char *arn = scar_xml_text_at(profile, "Arn");

	if (!arn || !*arn)
		return scar_err_set(err, SCAR_ERR_PROTOCOL,
				    "iam: the answer has no instance profile");
	*ret_has_role = scar_xml_first(scar_xml_at(profile, "Roles"), "member");
	return scar_aws_copy(arn, ret_arn, err);
}

static int need_profile(struct scar_aws *aws, const char *name, char **ret_arn, bool *ret_has_role,
			struct scar_err *err)
{
	const char *const parameters[][2] = {{"InstanceProfileName", name}, {NULL, NULL}};
	scar_aws_answer_auto struct scar_aws_answer made, found;

	scar_aws_answer_init(&made);
	scar_aws_answer_init(&found);
	if (scar_iam_ask(aws, "CreateInstanceProfile", parameters, &made, err) == 0)
		return take_profile(&made, "CreateInstanceProfileResult", ret_arn, ret_has_role,
				    err);
	if (!scar_aws_failed_with(aws, "EntityAlreadyExists") ||
	    scar_iam_ask(aws, "GetInstanceProfile", parameters, &found, err) < 0)
		return -1;
	return take_profile(&found, "GetInstanceProfileResult", ret_arn, ret_has_role, err);
}

int scar_iam_put_profile(struct scar_aws *aws, const char *name, const char *role, char **ret_arn,
			 struct scar_err *err)
{
	const char *const parameters[][2] = {
		{"InstanceProfileName", name}, {"RoleName", role}, {NULL, NULL}};
	scar_free_auto char *arn = NULL;
	bool has_role = false;

	if (need_profile(aws, name, &arn, &has_role, err) < 0 ||
	    (!has_role && scar_iam_tell(aws, "AddRoleToInstanceProfile", parameters, err) < 0))
		return -1;
	*ret_arn = scar_steal(arn);
	return 0;
}

int scar_iam_delete_profile(struct scar_aws *aws, const char *name, const char *role,
			    struct scar_err *err)
{
	const char *const both[][2] = {
		{"InstanceProfileName", name}, {"RoleName", role}, {NULL, NULL}};
	const char *const one[][2] = {{"InstanceProfileName", name}, {NULL, NULL}};

	if ((scar_iam_tell(aws, "RemoveRoleFromInstanceProfile", both, err) < 0 &&
	     err->kind != SCAR_ERR_NOT_FOUND) ||
	    (scar_iam_tell(aws, "DeleteInstanceProfile", one, err) < 0 &&
	     err->kind != SCAR_ERR_NOT_FOUND))
		return -1;
	return 0;
}
