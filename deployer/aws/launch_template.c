/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/aws/launch_template.h"

#include <string.h>

#include "deployer/aws/call.h"
#include "deployer/aws/xml.h"
#include "runtime/base/err.h"
#include "runtime/base/limits.h"

/* User data has 16 KiB before base64. */
#define FORM_MAX SCAR_KIB(64)

static int ask(struct scar_aws *aws, const char *operation, const struct scar_buf *form,
	       struct scar_aws_answer *answer, struct scar_err *err)
{
	const struct scar_aws_call call = {.service = SCAR_AWS_EC2,
					   .operation = operation,
					   .body = form->data,
					   .body_len = form->len};

	return scar_aws_perform(aws, &call, answer, err);
}

static int begin(struct scar_buf *form, const char *operation, const char *name,
		 struct scar_err *err)
{
	scar_buf_init(form, FORM_MAX);
	if (scar_aws_form(form, SCAR_AWS_EC2, operation, err) < 0)
		return -1;
	return scar_aws_query(form, "LaunchTemplateName", name, err);
}

static int append_tags(struct scar_buf *form, const struct scar_launch_template *template,
		       struct scar_err *err)
{
	if (!template->tag_count)
		return 0;
	if (scar_aws_query(form, "TagSpecification.1.ResourceType", "launch-template", err) < 0)
		return -1;
	return scar_aws_query_tags(form, "TagSpecification.1.Tag.", template->tags,
				   template->tag_count, err);
}

static int create(struct scar_aws *aws, const struct scar_launch_template *template,
		  struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form;

	scar_aws_answer_init(&answer);
	if (begin(&form, "CreateLaunchTemplate", template->name, err) < 0 ||
	    scar_aws_query(&form, "LaunchTemplateData.UserData", template->user_data, err) < 0 ||
	    scar_aws_query(&form, "LaunchTemplateData.MetadataOptions.HttpTokens", "required",
			   err) < 0 ||
	    append_tags(&form, template, err) < 0)
		return -1;
	return ask(aws, "CreateLaunchTemplate", &form, &answer, err);
}

static int compare(struct scar_aws *aws, const struct scar_launch_template *template,
		   struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form;
	const char *data;

	scar_aws_answer_init(&answer);
	if (begin(&form, "DescribeLaunchTemplateVersions", template->name, err) < 0 ||
	    scar_aws_query(&form, "LaunchTemplateVersion.1", "$Latest", err) < 0 ||
	    ask(aws, "DescribeLaunchTemplateVersions", &form, &answer, err) < 0)
		return -1;
	data = scar_xml_text_at(answer.xml,
				"launchTemplateVersionSet/item/launchTemplateData/userData");
	if (data && strcmp(data, template->user_data) == 0)
		return 0;
	return scar_err_set(err, SCAR_ERR_CONFIG,
			    "the launch template %s is there and starts machines in another way: "
			    "scar rm the function, or delete the template, and apply again",
			    template->name);
}

int scar_launch_template_put(struct scar_aws *aws, const struct scar_launch_template *template,
			     bool *ret_created, struct scar_err *err)
{
	bool created = create(aws, template, err) == 0;

	if (!created &&
	    (!scar_aws_failed_with(aws, "InvalidLaunchTemplateName.AlreadyExistsException") ||
	     compare(aws, template, err) < 0))
		return -1;
	if (ret_created)
		*ret_created = created;
	return 0;
}

/* Asked first, since a name that is not there is refused in more than one way. */
static int is_there(struct scar_aws *aws, const char *name, bool *ret_there, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form;

	scar_aws_answer_init(&answer);
	scar_buf_init(&form, FORM_MAX);
	if (scar_aws_form(&form, SCAR_AWS_EC2, "DescribeLaunchTemplates", err) < 0 ||
	    scar_aws_query(&form, "Filter.1.Name", "launch-template-name", err) < 0 ||
	    scar_aws_query(&form, "Filter.1.Value.1", name, err) < 0 ||
	    ask(aws, "DescribeLaunchTemplates", &form, &answer, err) < 0)
		return -1;
	*ret_there = scar_xml_at(answer.xml, "launchTemplates/item");
	return 0;
}

int scar_launch_template_delete(struct scar_aws *aws, const char *name, struct scar_err *err)
{
	scar_aws_answer_auto struct scar_aws_answer answer;
	scar_buf_auto struct scar_buf form;
	bool there = false;

	scar_aws_answer_init(&answer);
	if (begin(&form, "DeleteLaunchTemplate", name, err) < 0 ||
	    is_there(aws, name, &there, err) < 0)
		return -1;
	if (!there || ask(aws, "DeleteLaunchTemplate", &form, &answer, err) == 0)
		return 0;
	return err->kind == SCAR_ERR_NOT_FOUND ? 0 : -1;
}
