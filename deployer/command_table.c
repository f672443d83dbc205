/* SPDX-License-Identifier: Apache-2.0 */
#include "deployer/command.h"

#define APPLY SCAR_COMMAND_APPLY
#define UPDATE SCAR_COMMAND_UPDATE
#define RUN SCAR_COMMAND_RUN
#define INVOKE SCAR_COMMAND_INVOKE
#define LS SCAR_COMMAND_LS
#define RM SCAR_COMMAND_RM
#define LOG SCAR_COMMAND_LOG
#define PUT SCAR_COMMAND_PUT
#define GET SCAR_COMMAND_GET
#define DESCRIBE SCAR_COMMAND_DESCRIBE
#define LOCAL_RUN SCAR_COMMAND_LOCAL_RUN
#define SERVE SCAR_COMMAND_LOCAL_SERVE
#define BUILD SCAR_COMMAND_LAYER_BUILD
#define PUBLISH SCAR_COMMAND_LAYER_PUBLISH
#define LAYER_LS SCAR_COMMAND_LAYER_LS
#define PRUNE SCAR_COMMAND_LAYER_PRUNE
#define DOCTOR SCAR_COMMAND_DOCTOR
#define COMPLETION SCAR_COMMAND_COMPLETION
#define VERSION SCAR_COMMAND_VERSION

#define LOCAL (LOCAL_RUN | SERVE)
#define LAYERS (PUBLISH | LAYER_LS | PRUNE)
#define ONE_FUNCTION (RUN | INVOKE | RM | LOG | DESCRIBE | UPDATE)
#define DEFINE (APPLY | UPDATE)
#define AWS (DEFINE | RUN | INVOKE | LS | RM | LOG | PUT | GET | DESCRIBE | LAYERS)
/* Commands with a document for an answer. */
#define PRINTS (DEFINE | LS | RM | DESCRIBE | PUT | GET | LAYERS)
#define ALL (AWS | LOCAL | BUILD | DOCTOR | COMPLETION | VERSION)

/* clang-format off */
static const struct scar_option options[] = {
	{SCAR_OPTION_NAME, APPLY | ONE_FUNCTION, "-n", "--name", "NAME", NULL, "name of the function"},
	{SCAR_OPTION_FILE, LOCAL, "-f", "--conf-file", "FILE", NULL, "definition of functions, YAML or JSON; of several --name chooses one"},
	{SCAR_OPTION_NAME, LOCAL, NULL, "--name", "NAME", NULL, "name of the function (scar)"},
	{SCAR_OPTION_FILE, APPLY | ONE_FUNCTION, "-f", "--conf-file", "FILE", NULL, "definition of functions, YAML or JSON; - is standard input"},
	{SCAR_OPTION_ALL, RM | UPDATE, "-a", "--all", NULL, NULL, "every function that scar made in this region"},

	{SCAR_OPTION_IMAGE, DEFINE, "-i", "--image", "IMAGE", NULL, "image to run: [HOST[:PORT]/]NAME[:TAG][@DIGEST]"},
	{SCAR_OPTION_IMAGE_FILE, DEFINE, "-if", "--image-file", "FILE", NULL, "archive of docker save or OCI to take along in the function's package"},
	{SCAR_OPTION_INIT_SCRIPT, DEFINE, "-s", "--init-script", "FILE", NULL, "script to run in the image in place of its own command"},
	{SCAR_OPTION_DESCRIPTION, DEFINE, "-d", "--description", "TEXT", NULL, "what the function is for"},
	{SCAR_OPTION_ENV, DEFINE, "-e", "--environment", "K=V", NULL, "a variable of the program; may be repeated"},
	{SCAR_OPTION_LAMBDA_ENV, DEFINE, "-le", "--lambda-environment", "K=V", NULL, "a variable of the function, such as SCAR_MODE; may be repeated"},
	{SCAR_OPTION_MEMORY, DEFINE, "-m", "--memory", "MB", NULL, "memory of the function, 128 to 10240 (512)"},
	{SCAR_OPTION_TIMEOUT, DEFINE, "-t", "--timeout", "S", NULL, "seconds that an invocation may take, at most 900 (300)"},
	{SCAR_OPTION_TIMEOUT_THRESHOLD, DEFINE, "-tt", "--timeout-threshold", "S", NULL, "seconds of them that are kept for outputs"},
	{SCAR_OPTION_STORAGE, DEFINE, NULL, "--ephemeral-storage", "MB", NULL, "size of /tmp, 512 to 10240; by default what the image needs"},
	{SCAR_OPTION_ARCHITECTURE, DEFINE, NULL, "--architecture", "ARCH", "x86_64|arm64", "processor: x86_64 or arm64"},
	{SCAR_OPTION_LOG_LEVEL, DEFINE, "-ll", "--log-level", "LEVEL", "CRITICAL|ERROR|WARNING|INFO|DEBUG", "CRITICAL, ERROR, WARNING, INFO or DEBUG"},
	{SCAR_OPTION_LAYERS, DEFINE, "-l", "--layers", "ARN", NULL, "a further layer; may be repeated"},
	{SCAR_OPTION_INPUT_BUCKET, DEFINE, "-ib", "--input-bucket", "PATH", NULL, "BUCKET[/FOLDER] whose new files start the function"},
	{SCAR_OPTION_OUTPUT_BUCKET, DEFINE, "-ob", "--output-bucket", "PATH", NULL, "BUCKET[/FOLDER] for the files that it leaves"},
	{SCAR_OPTION_EXECUTION_MODE, DEFINE, "-em", "--execution-mode", "MODE", "lambda|lambda-batch|batch", "lambda, lambda-batch or batch"},
	{SCAR_OPTION_ROLE, DEFINE, "-r", "--iam-role", "ARN", NULL, "role of the function; by default one is made"},
	{SCAR_OPTION_SUPERVISOR_VERSION, DEFINE, "-sv", "--supervisor-version", "VERSION", NULL, "version of the layer: latest, or a number"},
	{SCAR_OPTION_RUNTIME, DEFINE, "-rt", "--runtime", "NAME", NULL, "provided.al2023 or provided.al2; those of SCAR are taken for the first"},
	{SCAR_OPTION_BATCH_MEMORY, DEFINE, "-bm", "--batch-memory", "MB", NULL, "memory of a Batch job"},
	{SCAR_OPTION_BATCH_VCPUS, DEFINE, "-bc", "--batch-vcpus", "N", NULL, "processors of a Batch job"},
	{SCAR_OPTION_ENABLE_GPU, DEFINE, "-g", "--enable-gpu", NULL, NULL, "give Batch jobs a GPU"},
	{SCAR_OPTION_PREHEAT, APPLY, "-ph", "--preheat", NULL, NULL, "invoke the function once, so that its image is unpacked"},
	{SCAR_OPTION_EXTRA_PAYLOAD, DEFINE, "-ep", "--extra-payload", "DIR", NULL, "folder to take along in the function's package"},
	{SCAR_OPTION_DEPLOYMENT_BUCKET, DEFINE, "-db", "--deployment-bucket", "BUCKET", NULL, "bucket for packages above 50 MB"},
	{SCAR_OPTION_API_GATEWAY, DEFINE, "-api", "--api-gateway-name", "NAME", NULL, "make a REST API of that name before the function"},

	{SCAR_OPTION_DRY_RUN, DEFINE | RM | PRUNE, NULL, "--dry-run", NULL, NULL, "only print what would be done"},
	{SCAR_OPTION_SUPERVISOR_LAYER, UPDATE, "-sl", "--supervisor-layer", NULL, NULL, "only bring the layer up to date"},
	{SCAR_OPTION_LAYER_ZIP, DEFINE | PUBLISH, NULL, "--layer", "FILE", NULL, "the layer's zip; by default the one that came with this program"},
	{SCAR_OPTION_NO_LAYER, DEFINE, NULL, "--no-layer", NULL, NULL, "put the runtime into the function's package instead of a layer"},
	{SCAR_OPTION_NO_IMAGE_CHECK, DEFINE, NULL, "--no-image-check", NULL, NULL, "do not look at the image's manifest: size and processor are believed"},
	{SCAR_OPTION_BOOTSTRAP, DEFINE | BUILD | LOCAL, NULL, "--bootstrap", "PATH", NULL, "the runtime; default: the bootstrap that came with this program"},
	{SCAR_OPTION_OPT, LOCAL, NULL, "--opt", "DIR", NULL, "folder that the function sees as its layers, /opt, and whose bootstrap runs"},
	{SCAR_OPTION_TASK, LOCAL, NULL, "--task", "DIR", NULL, "folder that the function sees as its package, /var/task; may name the image"},
	{SCAR_OPTION_IGNORE_MISSING, RM, NULL, "--ignore-missing", NULL, NULL, "a function that does not exist is no error"},
	{SCAR_OPTION_KEEP_LOGS, RM, NULL, "--keep-logs", NULL, NULL, "leave the log group"},

	{SCAR_OPTION_ASYNCHRONOUS, RUN | INVOKE, "-a", "--asynchronous", NULL, NULL, "do not wait for the answer"},
	{SCAR_OPTION_OUTPUT_FILE, RUN | INVOKE, "-o", "--output-file", "FILE", NULL, "write the answer there"},
	{SCAR_OPTION_RUN_SCRIPT, RUN, "-s", "--run-script", "FILE", NULL, "run this script in the image"},
	{SCAR_OPTION_INPUT_BUCKET, RUN, "-ib", "--input-bucket", "PATH", NULL, "BUCKET[/PREFIX]: invoke once for each file there"},
	{SCAR_OPTION_MANIFEST, RUN, NULL, "--manifest", "FILE", NULL, "invoke once for each BUCKET/KEY that is a line of FILE; - is standard input"},
	{SCAR_OPTION_CONCURRENCY, RUN, NULL, "--concurrency", "N", NULL, "invocations at once for several files (16)"},
	{SCAR_OPTION_STDIN, RUN, NULL, "--stdin", "FILE", NULL, "the program's standard input; - is this program's own"},
	{SCAR_OPTION_DATA_BINARY, INVOKE, "-db", "--data-binary", "FILE", NULL, "send this file"},
	{SCAR_OPTION_JSON_DATA, INVOKE, "-jd", "--json-data", "JSON", NULL, "send this document"},
	{SCAR_OPTION_PARAMETERS, INVOKE, "-p", "--parameters", "JSON", NULL, "query parameters, an object"},

	{SCAR_OPTION_FOLLOW, LOG, NULL, "--follow", NULL, NULL, "go on with what comes, until Ctrl-C"},
	{SCAR_OPTION_SINCE, LOG, NULL, "--since", "TIME", NULL, "from then on: 90s, 15m, 2h, 3d ago"},
	{SCAR_OPTION_REQUEST_ID, LOG, "-ri", "--request-id", "ID", NULL, "one invocation, or Batch job, only"},
	{SCAR_OPTION_LOG_STREAM, LOG, "-ls", "--log-stream-name", "NAME", NULL, "one stream only"},

	{SCAR_OPTION_BUCKET, PUT | GET, "-b", "--bucket", "PATH", NULL, "BUCKET[/FOLDER]"},
	{SCAR_OPTION_PATH, PUT | GET, "-p", "--path", "PATH", NULL, "file or folder on this machine"},
	{SCAR_OPTION_BUCKET, LS, "-b", "--bucket", "PATH", NULL, "list the files of BUCKET[/FOLDER]"},
	{SCAR_OPTION_LIST_LAYERS, LS, "-l", "--list-layers", NULL, NULL, "list the versions of the layer"},

	{SCAR_OPTION_TO, BUILD, NULL, "--to", "FILE", NULL, "the zip to write (faas-supervisor.zip)"},
	{SCAR_OPTION_ARCHITECTURE, PUBLISH, NULL, "--architecture", "ARCH", "x86_64|arm64", "processor: x86_64 or arm64"},
	{SCAR_OPTION_KEEP, PRUNE, NULL, "--keep", "N", NULL, "versions to leave, the newest (1)"},

	{SCAR_OPTION_ENGINE, LOCAL, NULL, "--engine", "NAME", NULL, "auto, rewrite, ptrace or native: how the image's programs are run"},
	{SCAR_OPTION_MEMORY, LOCAL, NULL, "--memory", "MB", NULL, "memory of the function (512)"},
	{SCAR_OPTION_TMP_SIZE, LOCAL, NULL, "--tmp-size", "MB", NULL, "size of its /tmp, which holds the image (512)"},
	{SCAR_OPTION_TIMEOUT, LOCAL, NULL, "--timeout", "S", NULL, "seconds that an invocation may take (300)"},
	{SCAR_OPTION_ENV, LOCAL, "-e", "--env", "K=V", NULL, "a variable of the function; may be repeated"},
	{SCAR_OPTION_PLAIN_HTTP, LOCAL | DEFINE, NULL, "--plain-http", NULL, NULL, "use http:// for registries that are not on this machine"},
	{SCAR_OPTION_NO_JAIL, LOCAL, NULL, "--no-jail", NULL, NULL, "without the restrictions of Lambda"},
	{SCAR_OPTION_RUN_SCRIPT, LOCAL_RUN, NULL, "--script", "FILE", NULL, "run this script in the image instead of its command"},
	{SCAR_OPTION_STDIN, LOCAL_RUN, NULL, "--stdin", "FILE", NULL, "the program's standard input; - is this program's own"},
	{SCAR_OPTION_STREAM, RUN, NULL, "--stream", NULL, NULL, "print the answer as it comes (InvokeWithResponseStream)"},
	{SCAR_OPTION_TIMELINE, RUN | LOCAL_RUN, NULL, "--timeline", "FILE", NULL, "where the time went: a picture (.svg), or Chrome's trace events (.json)"},
	{SCAR_OPTION_S3_TRIGGER, SERVE, NULL, "--s3-trigger", NULL, NULL, "invoke the function for each new file of its S3 inputs, as S3 would"},
	{SCAR_OPTION_FREEZE, SERVE, NULL, "--freeze", NULL, NULL, "stop all that the function left running between invocations, as Lambda does"},
	{SCAR_OPTION_HOST, SERVE, NULL, "--host", "ADDRESS", NULL, "IPv4 address to listen on; all who reach it may invoke (127.0.0.1)"},
	{SCAR_OPTION_PORT, SERVE, NULL, "--port", "N", NULL, "port to listen on (9001)"},
	{SCAR_OPTION_CONCURRENCY, SERVE, NULL, "--concurrency", "N", NULL, "environments that may work at once (1)"},

	{SCAR_OPTION_OUTPUT, DOCTOR, "-o", "--output", "FORMAT", "text|json", "text or json"},
	{SCAR_OPTION_OUTPUT, PRINTS, "-o", "--output", "FORMAT", "table|json|yaml|name", "table, json, yaml or name"},
	{SCAR_OPTION_JSON, PRINTS | RUN | INVOKE, "-j", "--json", NULL, NULL, "print JSON, with the keys of SCAR"},
	{SCAR_OPTION_VERBOSE, AWS, "-v", "--verbose", NULL, NULL, "tell more, on stderr"},
	{SCAR_OPTION_REGION, AWS, NULL, "--region", "REGION", NULL, "AWS region; else AWS_REGION, then the profile's"},
	{SCAR_OPTION_PROFILE, AWS, "-pf", "--profile", "NAME", NULL, "profile of the AWS configuration"},
	{SCAR_OPTION_ENDPOINT_URL, AWS, NULL, "--endpoint-url", "URL", NULL, "where AWS is, for tests"},
	{SCAR_OPTION_HELP, ALL, "-h", "--help", NULL, NULL, "print this"},
};

#define LOCAL_MORE \
	"\n" "Variables of the environment:\n" \
	"  SCAR_*, SSL_CERT_FILE   handed to the function, e.g. SCAR_REGISTRY_USERNAME, SCAR_REGISTRY_PASSWORD\n" \
	"  SCAR_JAIL               on, off, kernel-5.10, kernel-4.14: which kernel the function seems to meet\n"

static const struct scar_command commands[] = {
	{SCAR_COMMAND_APPLY, "apply", "init", "", 0, 0, false,
	 "create functions, or bring them up to date",
	 "Makes what the definition needs and is not there: role, buckets, layer, function, log group, triggers, API.\n"
	 "What is there as wanted is left alone, so applying twice changes nothing. Options win over the file, the\n"
	 "file over ~/.scar/scar.cfg.\n",
	 "scar apply -f function.yaml\n"
	 "scar apply -f function.yaml --dry-run\n"
	 "scar init -n cowsay -i grycap/cowsay -m 1024\n"},
	{SCAR_COMMAND_UPDATE, "update", NULL, "", 0, 0, false,
	 "change functions that exist",
	 "What is not said stays. -sl brings only the layer up to date.\n",
	 "scar update -n cowsay -m 2048 -t 600\n"
	 "scar update -a -sl\n"},
	{SCAR_COMMAND_RUN, "run", NULL, "[--] [ARGUMENT...]", 0, 0, true,
	 "run a function's program, and print what it prints",
	 "The arguments take the place of the image's command. stderr tells duration, memory and cost. The exit status is\n"
	 "the program's, or 70 if the function failed otherwise.\n",
	 "scar run -n cowsay\n"
	 "scar run -n cowsay -s script.sh\n"
	 "scar run -n cowsay -- uname -a\n"
	 "scar run -n convert -ib pictures/in\n"},
	{SCAR_COMMAND_INVOKE, "invoke", NULL, "", 0, 0, false,
	 "call a function's API over HTTP", "",
	 "scar invoke -n darknet -db dog.jpg -o answer\n"
	 "scar invoke -n darknet -jd '{\"a\": 1}' -p '{\"x\": \"y\"}'\n"},
	{SCAR_COMMAND_LS, "ls", NULL, "", 0, 0, false,
	 "list functions, layers or files", "",
	 "scar ls\n"
	 "scar ls -o json\n"
	 "scar ls -b bucket/folder\n"},
	{SCAR_COMMAND_RM, "rm", NULL, "", 0, 0, false,
	 "remove functions",
	 "With its API, triggers, log group, Batch queue and the role that was made for it. Buckets and their files stay.\n",
	 "scar rm -n cowsay\n"
	 "scar rm -a --dry-run\n"},
	{SCAR_COMMAND_LOG, "log", "logs", "", 0, 0, false,
	 "print a function's log", "",
	 "scar log -n cowsay --since 1h\n"
	 "scar log -n cowsay --follow\n"
	 "scar log -n cowsay -ri 11111111-2222-3333-4444-555555555555\n"},
	{SCAR_COMMAND_PUT, "put", NULL, "", 0, 0, false,
	 "copy files to a bucket", "The bucket is created if it is missing.\n",
	 "scar put -b bucket/in -p picture.jpg\n"
	 "scar put -b bucket/in -p folder\n"},
	{SCAR_COMMAND_GET, "get", NULL, "", 0, 0, false,
	 "copy files from a bucket", "",
	 "scar get -b bucket/out -p folder\n"},
	{SCAR_COMMAND_DESCRIBE, "describe", NULL, "", 0, 0, false,
	 "tell all of one function", "",
	 "scar describe -n cowsay -o yaml\n"},
	{SCAR_COMMAND_LOCAL_RUN, "local run", NULL, "IMAGE [--] [ARGUMENT...]", 0, 0, true,
	 "run an image once, as Lambda would, on this machine",
	 "Runs IMAGE once as a Lambda function on this machine: pulled by the function itself, without\n"
	 "privilege, in a sandbox that refuses what Lambda refuses. Prints what the program prints, and\n"
	 "exits as it does. IMAGE is [HOST[:PORT]/]NAME[:TAG][@DIGEST], oci:DIR[:TAG] or\n"
	 "docker-archive:FILE; the arguments take the place of the image's command.\n" LOCAL_MORE,
	 "scar local run alpine uname -a\n"},
	{SCAR_COMMAND_LOCAL_SERVE, "local serve", NULL, "[IMAGE]", 0, 0, true,
	 "keep a function on this machine for AWS clients",
	 "IMAGE may be left out if events name one (SCAR_ALLOW_EVENT_IMAGE=1).\n" LOCAL_MORE,
	 "scar local serve --port 9001 alpine\n"
	 "aws lambda invoke --endpoint-url http://127.0.0.1:9001 --function-name scar out\n"},
	{SCAR_COMMAND_LAYER_BUILD, "layer build", NULL, "", 0, 0, false,
	 "write the layer's zip", "The same runtime gives the same bytes.\n",
	 "scar layer build --to layer.zip\n"},
	{SCAR_COMMAND_LAYER_PUBLISH, "layer publish", NULL, "", 0, 0, false,
	 "publish the layer, unless it is there", "",
	 "scar layer publish --layer faas-supervisor-x86_64.zip\n"},
	{SCAR_COMMAND_LAYER_LS, "layer ls", NULL, "", 0, 0, false,
	 "list the versions of the layer", "",
	 "scar layer ls\n"},
	{SCAR_COMMAND_LAYER_PRUNE, "layer prune", NULL, "", 0, 0, false,
	 "delete old versions of the layer that no function uses", "",
	 "scar layer prune --keep 2\n"},
	{SCAR_COMMAND_DOCTOR, "doctor", NULL, "", 0, 0, false,
	 "tell what is possible on this machine, and why",
	 "Tries what running images needs: engines, permissions, the jail of scar local,\n"
	 "the kernel, /tmp, certificates. Exit status 0 if images can be run.\n",
	 "scar doctor -o json\n"},
	{SCAR_COMMAND_COMPLETION, "completion", NULL, "bash|zsh|fish", 1, 1, false,
	 "print what a shell needs to complete commands", "",
	 "source <(scar completion bash)\n"},
	{SCAR_COMMAND_VERSION, "version", "--version", "", 0, 0, false,
	 "print the version", "", ""},
};
/* clang-format on */

const struct scar_command *scar_commands(size_t *ret_count)
{
	*ret_count = sizeof commands / sizeof commands[0];
	return commands;
}

const struct scar_option *scar_options(size_t *ret_count)
{
	*ret_count = sizeof options / sizeof options[0];
	return options;
}
