/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/err.h"
#include "runtime/base/json.h"

#define ROLE "arn:aws:iam::1:role/scar-f-eu"
#define CONFIGURATION                                                                        \
	"{\"Configuration\":{\"Role\":\"" ROLE "\",\"Runtime\":\"provided.al2023\","         \
	"\"Handler\":\"bootstrap\",\"Timeout\":300,\"MemorySize\":512,\"EphemeralStorage\":" \
	"{\"Size\":512},\"CodeSha256\":\"sha\",\"Architectures\":[\"x86_64\"],\"Layers\":"   \
	"[{\"Arn\":\"layer:1\"}],\"Environment\":{\"Variables\":{\"IMAGE_ID\":\"i\"}}},"     \
	"\"Tags\":{\"createdby\":\"scar\",\"scar-state\":\"state\"}}"
#define POLICY "{\"Statement\":[{\"Sid\":\"scar-s3-my_bucket\"}]}"

/* A function with an input, as it is wanted, and what exists of it. */
struct scene {
	struct scar_fdl_place input;
	struct scar_fdl_function function;
	struct scar_fdl_pair image;
	struct scar_target target;
	struct scar_layer layer;
	struct scar_found found;
	struct scar_plan plan;
};

static struct scar_json *json(const char *text)
{
	struct scar_json *root = NULL;
	struct scar_err err;

	assert_int_equal(scar_json_parse(text, strlen(text), "test", &root, &err), 0);
	return root;
}

static void set(struct scene *scene)
{
	*scene = (struct scene){
		.input = {.provider = (char *)"s3", .path = (char *)"my.bucket/in"},
		.image = {(char *)"IMAGE_ID", (char *)"i"},
		.layer = {.description = "0.1.0 x86_64 1", .architecture = "x86_64"},
	};
	scene->function = (struct scar_fdl_function){
		.name = (char *)"f",
		.inputs = {.items = &scene->input, .count = 1},
	};
	scene->target = (struct scar_target){
		.function = &scene->function,
		.arn = (char *)"arn",
		.role = (char *)ROLE,
		.role_name = (char *)"scar-f-eu",
		.log_group = (char *)"/aws/lambda/f",
		.image = (char *)"i",
		.runtime = "provided.al2023",
		.architecture = "x86_64",
		.memory_mb = 512,
		.timeout_s = 300,
		.storage_mb = 512,
		.package_sha256 = "sha",
		.environment = {.items = &scene->image, .count = 1},
		.state = "state",
	};
}

/* Everything is there as wanted. */
static void find_all(struct scene *scene)
{
	struct scar_err err;
	char id[128];

	scene->found.function = json(CONFIGURATION);
	scene->found.policy = json(POLICY);
	scene->found.role = scene->found.log_group = true;
	scene->found.layer = strdup("layer:1");
	scar_plan_trigger_id(&scene->function, &scene->input, id);
	assert_int_equal(scar_fdl_list_add(&scene->found.triggers, id, &err), 0);
	assert_int_equal(scar_fdl_list_add(&scene->found.buckets, "my.bucket", &err), 0);
}

static void plan(struct scene *scene)
{
	struct scar_err err = {0};

	if (scar_plan_make(&scene->target, &scene->layer, &scene->found, &scene->plan, &err) < 0)
		fail_msg("%s", err.msg);
}

static void clear(struct scene *scene)
{
	scar_plan_clear(&scene->plan);
	scar_found_clear(&scene->found);
}

static const struct scar_step *step(const struct scene *scene, enum scar_step_kind kind)
{
	for (size_t i = 0; i < scene->plan.count; i++) {
		if (scene->plan.steps[i].kind == kind)
			return &scene->plan.steps[i];
	}
	fail_msg("no step %s", scar_step_noun(kind));
	return NULL;
}

static void of_nothing_everything_is_made_in_the_order_of_need(void **state)
{
	static const enum scar_step_kind order[] = {
		SCAR_STEP_BUCKET, SCAR_STEP_ROLE,      SCAR_STEP_LAYER,  SCAR_STEP_CREATE,
		SCAR_STEP_LOGS,   SCAR_STEP_RETENTION, SCAR_STEP_TRIGGER};
	struct scene scene;

	(void)state;
	set(&scene);
	plan(&scene);
	assert_int_equal(scene.plan.count, sizeof order / sizeof order[0]);
	for (size_t i = 0; i < scene.plan.count; i++) {
		assert_int_equal(scene.plan.steps[i].kind, order[i]);
		assert_int_not_equal(scene.plan.steps[i].action, SCAR_STEP_KEEP);
	}
	clear(&scene);
}

static void what_is_as_wanted_is_left_alone(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	find_all(&scene);
	plan(&scene);
	for (size_t i = 0; i < scene.plan.count; i++) {
		if (scene.plan.steps[i].action != SCAR_STEP_KEEP)
			fail_msg("%s %s", scar_step_noun(scene.plan.steps[i].kind),
				 scene.plan.steps[i].detail ? scene.plan.steps[i].detail : "");
	}
	assert_int_equal(scar_plan_changes(&scene.plan), 0);
	clear(&scene);
}

static void each_difference_is_one_step_that_names_it(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	find_all(&scene);
	scene.target.memory_mb = 1024;
	scene.target.storage_mb = 2048;
	plan(&scene);
	assert_int_equal(scar_plan_changes(&scene.plan), 1);
	assert_string_equal(step(&scene, SCAR_STEP_CONFIGURATION)->detail,
			    "memory 512 -> 1024, /tmp 512 -> 2048");
	clear(&scene);
}

static void another_package_or_processor_is_new_code(void **state)
{
	struct scene scene;

	(void)state;
	for (int i = 0; i < 2; i++) {
		set(&scene);
		find_all(&scene);
		if (i)
			scene.target.architecture = "arm64";
		else
			snprintf(scene.target.package_sha256, sizeof scene.target.package_sha256,
				 "other");
		plan(&scene);
		assert_int_equal(scar_plan_changes(&scene.plan), 1);
		assert_int_equal(step(&scene, SCAR_STEP_CODE)->action, SCAR_STEP_CHANGE);
		clear(&scene);
	}
}

static void a_new_layer_is_published_and_given_to_the_function(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	find_all(&scene);
	free(scene.found.layer);
	scene.found.layer = NULL;
	plan(&scene);
	assert_int_equal(step(&scene, SCAR_STEP_LAYER)->action, SCAR_STEP_ADD);
	assert_string_equal(step(&scene, SCAR_STEP_CONFIGURATION)->detail, "layers");
	assert_int_equal(scar_plan_changes(&scene.plan), 2);
	clear(&scene);
}

static void variables_that_are_too_many_are_taken_away(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	find_all(&scene);
	scene.target.environment.count = 0;
	plan(&scene);
	assert_string_equal(step(&scene, SCAR_STEP_CONFIGURATION)->detail, "variables");
	clear(&scene);
}

static void another_state_renews_role_retention_and_tag(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	find_all(&scene);
	snprintf(scene.target.state, sizeof scene.target.state, "new");
	plan(&scene);
	assert_int_equal(step(&scene, SCAR_STEP_ROLE)->action, SCAR_STEP_CHANGE);
	assert_int_equal(step(&scene, SCAR_STEP_RETENTION)->action, SCAR_STEP_CHANGE);
	assert_int_equal(step(&scene, SCAR_STEP_TAGS)->action, SCAR_STEP_CHANGE);
	assert_int_equal(scar_plan_changes(&scene.plan), 3);
	clear(&scene);
}

static void a_given_role_is_not_touched_and_another_account_gets_no_bucket(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	scene.target.role_name = NULL;
	scene.input.provider = (char *)"s3.theirs";
	plan(&scene);
	for (size_t i = 0; i < scene.plan.count; i++) {
		assert_int_not_equal(scene.plan.steps[i].kind, SCAR_STEP_ROLE);
		assert_int_not_equal(scene.plan.steps[i].kind, SCAR_STEP_BUCKET);
		assert_int_not_equal(scene.plan.steps[i].kind, SCAR_STEP_TRIGGER);
	}
	clear(&scene);
}

static void a_trigger_without_its_permission_is_made_again(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene);
	find_all(&scene);
	scar_json_free(scene.found.policy);
	scene.found.policy = NULL;
	plan(&scene);
	assert_int_equal(step(&scene, SCAR_STEP_TRIGGER)->action, SCAR_STEP_ADD);
	clear(&scene);
}

static void ids_are_the_same_each_time_and_of_one_input_only(void **state)
{
	struct scar_fdl_function function = {.name = (char *)"f"};
	struct scar_fdl_place one = {.path = (char *)"b/in"}, other = {.path = (char *)"b/in2"};
	char a[128], b[128], c[128];

	(void)state;
	scar_plan_trigger_id(&function, &one, a);
	scar_plan_trigger_id(&function, &one, b);
	scar_plan_trigger_id(&function, &other, c);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	scar_plan_statement_id("my.bucket", a);
	assert_string_equal(a, "scar-s3-my_bucket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_nothing_everything_is_made_in_the_order_of_need),
		cmocka_unit_test(what_is_as_wanted_is_left_alone),
		cmocka_unit_test(each_difference_is_one_step_that_names_it),
		cmocka_unit_test(another_package_or_processor_is_new_code),
		cmocka_unit_test(a_new_layer_is_published_and_given_to_the_function),
		cmocka_unit_test(variables_that_are_too_many_are_taken_away),
		cmocka_unit_test(another_state_renews_role_retention_and_tag),
		cmocka_unit_test(a_given_role_is_not_touched_and_another_account_gets_no_bucket),
		cmocka_unit_test(a_trigger_without_its_permission_is_made_again),
		cmocka_unit_test(ids_are_the_same_each_time_and_of_one_input_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
