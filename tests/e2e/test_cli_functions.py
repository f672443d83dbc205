# SPDX-License-Identifier: Apache-2.0
"""`scar` and functions in AWS, from the empty account to the empty account, against moto; what is there is looked at through boto3."""

import json
import re
import signal
import subprocess
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.cloud import ACCOUNT, REGION, Cloud
from tests.support.places import SCAR

NAME = "convert"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
# moto keeps layers and functions apart when it has no Docker, so the runtime travels in the package.
APPLY = ("--no-layer", "--no-image-check")


DEFINITION = f"""
functions:
  aws:
  - lambda:
      name: {NAME}
      memory: 1024
      timeout: 60
      init_script: convert.sh
      environment: {{Variables: {{SCAR_OUTPUT: files}}}}
      container:
        image: grycap/imagemagick
        timeout_threshold: 20
        environment: {{Variables: {{QUALITY: "80", PAIR: a=b}}}}
      input:
      - {{storage_provider: s3, path: pictures/in/}}
      output:
      - {{storage_provider: s3, path: pictures/out, suffix: [jpg]}}
      - {{storage_provider: minio.lab, path: elsewhere}}
    api_gateway: {{name: pictures}}
    cloudwatch: {{log_retention_policy_in_days: 14}}
storage_providers:
  minio:
    lab: {{endpoint: "https://minio.example", access_key: KEY, secret_key: SECRET}}
"""


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    (tmp_path / "convert.sh").write_text("convert in out\n")
    path = tmp_path / "function.yaml"
    path.write_text(DEFINITION)
    return path


def signs(stderr: str) -> list[str]:
    """What was done: the first letter of each step's line."""
    return [line[0] for line in stderr.splitlines() if line[:2] in ("+ ", "~ ", "= ")]


def configuration(cloud: Cloud, name: str = NAME) -> dict:
    return cloud.of("lambda").get_function_configuration(FunctionName=name)


def test_a_dry_run_prints_every_step_and_makes_nothing(cloud: Cloud, definition: Path):
    done = cloud.scar("apply", "-f", definition, *APPLY, "--dry-run")
    nouns = [line.split(" ")[1] for line in done.stdout.splitlines()]
    assert nouns == ["bucket", "role", "API", "function", "log", "retention", "trigger", "permission"]
    assert cloud.of("lambda").list_functions()["Functions"] == []
    assert cloud.of("s3").list_buckets()["Buckets"] == []
    assert cloud.of("iam").list_roles()["Roles"] == []


def test_apply_makes_all_that_the_definition_asks_for(cloud: Cloud, definition: Path):
    done = cloud.scar("apply", "-f", definition, *APPLY)
    assert set(signs(done.stderr)) == {"+", "~"}
    made = configuration(cloud)
    assert (made["MemorySize"], made["Timeout"], made["Runtime"], made["Handler"]) == (1024, 60, "provided.al2023", "bootstrap")
    variables = made["Environment"]["Variables"]
    api = variables.pop("API_GATEWAY_ID")
    assert variables == {"IMAGE_ID": "grycap/imagemagick", "SCAR_OUTPUT": "files"}
    assert cloud.of("apigateway").get_rest_api(restApiId=api)["name"] == "pictures"
    assert f"https://{api}.execute-api.{REGION}.amazonaws.com/scar/launch" in done.stdout
    tags = cloud.of("lambda").list_tags(Resource=ARN)["Tags"]
    assert tags["createdby"] == "scar"
    assert cloud.of("s3").get_bucket_location(Bucket="pictures")["LocationConstraint"] == REGION
    (trigger,) = cloud.of("s3").get_bucket_notification_configuration(Bucket="pictures")["LambdaFunctionConfigurations"]
    assert trigger["LambdaFunctionArn"] == ARN
    assert trigger["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "in/"}]
    (group,) = cloud.of("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (f"/aws/lambda/{NAME}", 14)
    statements = json.loads(cloud.of("lambda").get_policy(FunctionName=NAME)["Policy"])["Statement"]
    assert {statement["Principal"]["Service"] for statement in statements} == {"s3.amazonaws.com", "apigateway.amazonaws.com"}


def test_the_role_allows_its_own_buckets_and_log_and_no_more(cloud: Cloud, definition: Path):
    cloud.scar("apply", "-f", definition, *APPLY)
    role = configuration(cloud)["Role"].rsplit("/", 1)[1]
    iam = cloud.of("iam")
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    statements = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
    resources = [resource for statement in statements for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])]
    assert resources and all("pictures" in resource or f"/aws/lambda/{NAME}" in resource for resource in resources)
    assert not [action for statement in statements for action in statement["Action"] if action.endswith("*")]


def test_applying_twice_changes_nothing(cloud: Cloud, definition: Path):
    cloud.scar("apply", "-f", definition, *APPLY)
    before = configuration(cloud)
    again = cloud.scar("apply", "-f", definition, *APPLY, "-v", "-j")
    assert set(signs(again.stderr)) == {"="}
    assert json.loads(again.stdout)["Functions"][0]["Changes"] == 0
    assert configuration(cloud)["LastModified"] == before["LastModified"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("memory: 1024", "memory: 2048", "memory 1024 -> 2048"),
        ("timeout: 60", "timeout: 90", "timeout 60 -> 90"),
        ("imagemagick", "imagemagick:2", "variable IMAGE_ID"),
        ("SCAR_OUTPUT: files", "SCAR_OUTPUT: zip", "variable SCAR_OUTPUT"),
        ('QUALITY: "80"', 'QUALITY: "81"', "code of"),
        ("_in_days: 14", "_in_days: 30", "retention of"),
        ("pictures/out", "pictures/other", "role"),
    ],
)
def test_a_change_of_the_definition_changes_that_and_nothing_else(cloud: Cloud, definition: Path, old: str, new: str, told: str):
    cloud.scar("apply", "-f", definition, *APPLY)
    assert old in DEFINITION
    definition.write_text(DEFINITION.replace(old, new))
    done = cloud.scar("apply", "-f", definition, *APPLY)
    assert told in done.stderr
    assert set(signs(done.stderr)) == {"~"}
    assert signs(cloud.scar("apply", "-f", definition, *APPLY).stderr) == []


def test_what_was_taken_away_is_made_again(cloud: Cloud, definition: Path):
    cloud.scar("apply", "-f", definition, *APPLY)
    cloud.of("s3").put_bucket_notification_configuration(Bucket="pictures", NotificationConfiguration={})
    cloud.of("logs").delete_log_group(logGroupName=f"/aws/lambda/{NAME}")
    done = cloud.scar("apply", "-f", definition, *APPLY)
    assert "+ trigger pictures/in" in done.stderr
    assert f"+ log group /aws/lambda/{NAME}" in done.stderr
    assert cloud.of("s3").get_bucket_notification_configuration(Bucket="pictures")["LambdaFunctionConfigurations"]


def test_triggers_of_others_stay(cloud: Cloud, definition: Path):
    s3 = cloud.of("s3")
    cloud.scar("init", "-n", "other", "-i", "busybox", "-ib", "pictures/theirs", *APPLY)
    cloud.scar("apply", "-f", definition, *APPLY)
    assert len(s3.get_bucket_notification_configuration(Bucket="pictures")["LambdaFunctionConfigurations"]) == 2
    cloud.scar("rm", "-f", definition)
    (left,) = s3.get_bucket_notification_configuration(Bucket="pictures")["LambdaFunctionConfigurations"]
    assert left["LambdaFunctionArn"].endswith(":other")


def test_flags_of_scar_make_a_function_without_a_file(cloud: Cloud):
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", "-m", "256", "-t", "30", "-e", "A=b=c", "-le", "SCAR_MODE=program", "-d", "says things", "-ll", "DEBUG", *APPLY)
    made = configuration(cloud, "cow")
    assert (made["MemorySize"], made["Timeout"], made["Description"]) == (256, 30, "says things")
    assert made["Environment"]["Variables"] == {"SCAR_MODE": "program", "IMAGE_ID": "grycap/cowsay"}


def test_the_defaults_of_scar_cfg_hold_where_nothing_else_is_said(cloud: Cloud, tmp_path: Path):
    role = f"arn:aws:iam::{ACCOUNT}:role/given"
    cloud.of("iam").create_role(RoleName="given", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    defaults = {"scar": {"config_version": "1.1.0"}, "aws": {"iam": {"role": role}, "lambda": {"boto_profile": "default", "memory": 768, "timeout": 77, "environment": {"Variables": {"UDOCKER_DIR": "/tmp/x"}}}}}
    (tmp_path / "scar.cfg").write_text(json.dumps(defaults))
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", "-t", "30", *APPLY, SCAR_CONFIG_FOLDER=str(tmp_path))
    made = configuration(cloud, "cow")
    assert (made["MemorySize"], made["Timeout"], made["Role"]) == (768, 30, role)
    assert "UDOCKER_DIR" not in made["Environment"]["Variables"]
    assert [role["RoleName"] for role in cloud.of("iam").list_roles()["Roles"]] == ["given"]


def test_the_image_is_looked_at(cloud: Cloud, pushed):
    image = pushed("busybox")
    cloud.scar("init", "-n", "box", "-i", image, "--no-layer")
    assert configuration(cloud, "box")["EphemeralStorage"]["Size"] == 512
    missing = cloud.scar("init", "-n", "none", "-i", image.rsplit(":", 1)[0] + ":missing", "--no-layer", status=None)
    assert missing.returncode not in (0, 2)
    assert "missing" in missing.stderr
    wrong = cloud.scar("init", "-n", "arm", "-i", image, "--no-layer", "--architecture", "arm64", status=None)
    assert wrong.returncode not in (0, 2)
    assert "arm64" in wrong.stderr
    assert [function["FunctionName"] for function in cloud.of("lambda").list_functions()["Functions"]] == ["box"]


def test_ls_tells_functions_in_every_form(cloud: Cloud):
    assert cloud.scar("ls").stdout.split() == ["NAME", "MEMORY", "TIME", "IMAGE_ID", "API_URL", "SUPERVISOR_VERSION"]
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *APPLY)
    assert cloud.scar("ls").stdout.splitlines()[1].split() == ["cow", "512", "300", "grycap/cowsay", "-", "package"]
    (function,) = json.loads(cloud.scar("ls", "-j").stdout)["Functions"]
    assert function == {"Name": "cow", "Memory": 512, "Timeout": 300, "Image_id": "grycap/cowsay", "Api_gateway": "-", "Sup_version": "package"}
    assert cloud.scar("ls", "-o", "name").stdout == "cow\n"
    assert "Name: cow" in cloud.scar("ls", "-o", "yaml").stdout


def test_update_changes_what_is_said_and_leaves_the_rest(cloud: Cloud, definition: Path):
    cloud.scar("apply", "-f", definition, *APPLY)
    before = configuration(cloud)
    assert cloud.scar("update", "-n", NAME, "-m", "3008", "-e", "QUALITY=50").stdout == f"updated {NAME}\n"
    after = configuration(cloud)
    assert after["MemorySize"] == 3008
    assert after["Environment"]["Variables"] == before["Environment"]["Variables"] | {"CONT_VAR_QUALITY": "50"}
    for key in ("Timeout", "Role", "CodeSha256", "Description"):
        assert after[key] == before[key]
    assert cloud.scar("update", "-n", NAME, "-m", "3008").stdout == f"unchanged {NAME}\n"
    assert cloud.scar("update", "-n", NAME, "-s", "x.sh", status=2).stdout == ""


def test_update_sets_where_programs_run_and_tells_what_that_needs(cloud: Cloud):
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *APPLY)
    before = configuration(cloud, "cow")["Environment"]["Variables"]
    for mode in ("batch", "lambda-batch"):
        done = cloud.scar("update", "-n", "cow", "-em", mode)
        assert done.stdout == "updated cow\n"
        assert "Batch queue and job definition" in done.stderr and "batch:SubmitJob" in done.stderr
        assert configuration(cloud, "cow")["Environment"]["Variables"] == before | {"SCAR_EXECUTION_MODE": mode}
    done = cloud.scar("update", "-n", "cow", "-em", "lambda")
    assert done.stdout == "updated cow\n" and "Batch" not in done.stderr
    assert configuration(cloud, "cow")["Environment"]["Variables"] == before | {"SCAR_EXECUTION_MODE": "lambda"}
    # The definition wins at the next apply; what it says in its variables stays.
    cloud.scar("update", "-n", "cow", "-em", "batch")
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *APPLY)
    assert configuration(cloud, "cow")["Environment"]["Variables"] == before
    said = (*APPLY, "-le", "SCAR_EXECUTION_MODE=batch")
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *said)
    assert configuration(cloud, "cow")["Environment"]["Variables"] == before | {"SCAR_EXECUTION_MODE": "batch"}
    assert signs(cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *said).stderr) == []
    # A word that is not a mode changes nothing.
    cloud.scar("update", "-n", "cow", "-em", "bach", status=2)
    assert configuration(cloud, "cow")["Environment"]["Variables"]["SCAR_EXECUTION_MODE"] == "batch"


def test_a_mount_is_allowed_and_no_other(cloud: Cloud, tmp_path: Path):
    s3_files = f"arn:aws:s3files:{REGION}:{ACCOUNT}:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0"
    efs = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0"
    vpc = "vpc: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}"
    path = tmp_path / "function.yaml"

    def definition(*arns: str) -> Path:
        mounts = ", ".join(f"{{Arn: '{arn}', LocalMountPath: /mnt/m{n}}}" for n, arn in enumerate(arns))
        path.write_text(f"functions: {{aws: [{{lambda: {{name: cow, container: {{image: grycap/cowsay}}, {vpc}, file_system: [{mounts}]}}}}]}}\n")
        return path

    def allowed() -> dict[str, tuple]:
        policy = cloud.of("iam").get_role_policy(RoleName=f"scar-cow-{REGION}", PolicyName="scar")["PolicyDocument"]
        return {statement["Sid"]: (statement["Action"], statement["Resource"]) for statement in policy["Statement"]}

    done = cloud.scar("apply", "-f", definition(efs, s3_files), *APPLY, status=78)
    assert "either EFS or S3 Files" in done.stderr
    cloud.scar("apply", "-f", definition(s3_files), *APPLY, status=None)
    assert allowed()["S3Files"] == (["s3files:ClientMount", "s3files:ClientWrite"], [s3_files]) and "Files" not in allowed()
    cloud.scar("apply", "-f", definition(efs), *APPLY, status=None)
    assert "elasticfilesystem:ClientMount" in allowed()["Files"][0] and "S3Files" not in allowed()


def test_rm_takes_the_queue_that_was_made_by_hand_along(cloud: Cloud):
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *APPLY)
    cloud.scar("update", "-n", "cow", "-em", "batch")
    batch = cloud.of("batch")
    role = cloud.of("iam").list_roles()["Roles"][0]["Arn"]
    for name in ("cow", "other"):
        batch.create_compute_environment(computeEnvironmentName=name, type="UNMANAGED", serviceRole=role)
        batch.create_job_queue(jobQueueName=name, state="ENABLED", priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}])
        container = {"image": "busybox", "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]}
        batch.register_job_definition(jobDefinitionName=name, type="container", containerProperties=container)
    assert "Batch queue, environment and job definitions cow" in cloud.scar("rm", "-n", "cow").stdout
    assert [queue["jobQueueName"] for queue in batch.describe_job_queues()["jobQueues"]] == ["other"]
    assert [place["computeEnvironmentName"] for place in batch.describe_compute_environments()["computeEnvironments"]] == ["other"]
    assert [job["jobDefinitionName"] for job in batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]] == ["other"]


def test_run_prints_the_answer_alone_on_stdout(cloud: Cloud, tmp_path: Path):
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *APPLY)
    done = cloud.scar("run", "-n", "cow", "--", "say", "-f")
    assert json.loads(done.stdout) == {"cmd_args": ["say", "-f"]}
    assert "request" in done.stderr
    script = tmp_path / "script.sh"
    script.write_text("echo hi\n")
    assert json.loads(cloud.scar("run", "-n", "cow", "-s", script).stdout) == {"script": "ZWNobyBoaQo="}
    answer = json.loads(cloud.scar("run", "-n", "cow", "-j").stdout)["LambdaOutput"]
    assert (answer["StatusCode"], answer["Payload"], answer["LogGroupName"]) == (200, "{}", "/aws/lambda/cow")
    cloud.scar("run", "-n", "cow", "-o", tmp_path / "answer")
    assert (tmp_path / "answer").read_text() == "{}"
    assert cloud.scar("run", "-n", "cow", "-a").stdout == ""


def test_run_over_a_prefix_gives_each_file_its_event(cloud: Cloud, tmp_path: Path):
    cloud.scar("init", "-n", "cow", "-i", "grycap/cowsay", *APPLY)
    names = ["a.txt", "b c+d.txt", "deep/é.txt"]
    for name in names:
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(name)
    cloud.scar("put", "-b", "bucket/in", "-p", tmp_path / "files")
    done = cloud.scar("run", "-n", "cow", "-ib", "bucket/in")
    events = json.loads("[" + done.stdout.replace("}{", "},{") + "]")
    keys = {event["Records"][0]["s3"]["object"]["key"] for event in events}
    assert keys == {"in/a.txt", "in/b+c%2Bd.txt", "in/deep/%C3%A9.txt"}
    assert all(event["Records"][0]["eventTime"] for event in events)
    assert "3 of 3 files done, 0 failed" in done.stderr


def test_put_and_get_keep_trees(cloud: Cloud, tmp_path: Path):
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "a").write_text("a")
    (tmp_path / "tree" / "sub" / "b").write_text("b" * 100000)
    cloud.scar("put", "-b", "bucket/in/", "-p", tmp_path / "tree")
    assert cloud.scar("ls", "-b", "bucket/in").stdout == "in/a\nin/sub/b\n"
    cloud.scar("get", "-b", "bucket/in/", "-p", tmp_path / "back")
    assert {path.relative_to(tmp_path / "back").as_posix(): path.read_text() for path in (tmp_path / "back").rglob("*") if path.is_file()} == {"a": "a", "sub/b": "b" * 100000}
    nothing = cloud.scar("get", "-b", "bucket/none", "-p", tmp_path / "none", status=None)
    assert nothing.returncode not in (0, 2)
    assert "nothing" in nothing.stderr


def test_log_prints_one_invocation(cloud: Cloud):
    logs = cloud.of("logs")
    assert cloud.scar("log", "-n", "cow", status=None).returncode != 0
    logs.create_log_group(logGroupName="/aws/lambda/cow")
    logs.create_log_stream(logGroupName="/aws/lambda/cow", logStreamName="s")
    now = int(time.time() * 1000) - 60_000
    lines = ["START RequestId: one Version: $LATEST", "first", "END RequestId: one", "REPORT RequestId: one Duration: 1 ms", "START RequestId: two", "second", "REPORT RequestId: two"]
    logs.put_log_events(logGroupName="/aws/lambda/cow", logStreamName="s", logEvents=[{"timestamp": now + n, "message": line} for n, line in enumerate(lines)])
    assert cloud.scar("log", "-n", "cow").stdout.splitlines() == lines
    assert cloud.scar("log", "-n", "cow", "-ri", "one").stdout.splitlines() == lines[:4]
    assert cloud.scar("log", "-n", "cow", "--since", "1s").stdout == ""


def test_log_prints_one_invocation_of_a_json_log(cloud: Cloud):
    logs = cloud.of("logs")
    logs.create_log_group(logGroupName="/aws/lambda/cow")
    logs.create_log_stream(logGroupName="/aws/lambda/cow", logStreamName="s")
    now = int(time.time() * 1000) - 60_000
    lines = []
    for request in ("one", "two"):
        record = {"requestId": request}
        lines += [
            json.dumps({"time": "t", "type": "platform.start", "record": record}),
            json.dumps(record | {"message": "ours"}),
            json.dumps({"requestId": "the program's own"}),
            json.dumps({"time": "t", "type": "platform.report", "record": record}),
        ]
    logs.put_log_events(logGroupName="/aws/lambda/cow", logStreamName="s", logEvents=[{"timestamp": now + n, "message": line} for n, line in enumerate(lines)])
    assert cloud.scar("log", "-n", "cow", "-ri", "one").stdout.splitlines() == lines[:4]
    assert cloud.scar("log", "-n", "cow", "-ri", "two").stdout.splitlines() == lines[4:]


def test_log_follows_until_interrupted(cloud: Cloud):
    logs = cloud.of("logs")
    logs.create_log_group(logGroupName="/aws/lambda/cow")
    logs.create_log_stream(logGroupName="/aws/lambda/cow", logStreamName="s")
    with subprocess.Popen([SCAR, "log", "-n", "cow", "--follow"], env=cloud.environ, stdout=subprocess.PIPE, text=True) as process:
        for n in range(2):
            logs.put_log_events(logGroupName="/aws/lambda/cow", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": f"line {n}"}])
            assert process.stdout.readline() == f"line {n}\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_rm_leaves_buckets_and_nothing_else(cloud: Cloud, definition: Path):
    cloud.scar("apply", "-f", definition, *APPLY)
    cloud.scar("rm", "-n", NAME, "--dry-run")
    assert configuration(cloud)
    cloud.scar("rm", "-f", definition)
    assert cloud.of("lambda").list_functions()["Functions"] == []
    assert cloud.of("iam").list_roles()["Roles"] == []
    assert cloud.of("logs").describe_log_groups()["logGroups"] == []
    assert cloud.of("apigateway").get_rest_apis()["items"] == []
    assert not cloud.of("s3").get_bucket_notification_configuration(Bucket="pictures").get("LambdaFunctionConfigurations")
    assert [bucket["Name"] for bucket in cloud.of("s3").list_buckets()["Buckets"]] == ["pictures"]
    gone = cloud.scar("rm", "-n", NAME, status=66)
    assert "ResourceNotFoundException" in gone.stderr
    cloud.scar("rm", "-n", NAME, "--ignore-missing")


def test_several_functions_of_a_file_form_a_workflow(cloud: Cloud, tmp_path: Path):
    path = tmp_path / "flow.yaml"
    path.write_text("""
functions:
  aws:
  - lambda: {name: split, container: {image: grycap/ffmpeg}, input: [{storage_provider: s3, path: video/in}], output: [{storage_provider: s3, path: video/images}]}
  - lambda: {name: detect, container: {image: grycap/darknet}, input: [{storage_provider: s3, path: video/images}], output: [{storage_provider: s3, path: video/out}]}
  oscar:
  - cluster: {name: not-ours}
""")
    done = cloud.scar("apply", "-f", path, *APPLY)
    assert "OSCAR" in done.stderr
    entries = cloud.of("s3").get_bucket_notification_configuration(Bucket="video")["LambdaFunctionConfigurations"]
    assert {(entry["LambdaFunctionArn"].rsplit(":", 1)[1], entry["Filter"]["Key"]["FilterRules"][0]["Value"]) for entry in entries} == {("split", "in/"), ("detect", "images/")}
    cloud.scar("rm", "-a")
    assert cloud.of("lambda").list_functions()["Functions"] == []


def test_layers_are_published_once_listed_and_pruned(cloud: Cloud, tmp_path: Path):
    first = cloud.scar("layer", "publish").stdout.strip()
    assert first.endswith(":layer:faas-supervisor:1")
    assert cloud.scar("layer", "publish").stdout.strip() == first
    built = cloud.scar("layer", "build", "--to", tmp_path / "a.zip").stdout.strip()
    cloud.scar("layer", "build", "--to", tmp_path / "b.zip")
    assert Path(built).read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert zipfile.ZipFile(built).getinfo("bootstrap").external_attr >> 16 & 0o777 == 0o755
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("bootstrap", "another")
    assert cloud.scar("layer", "publish", "--layer", other).stdout.strip().endswith(":2")
    listed = json.loads(cloud.scar("layer", "ls", "-j").stdout)["Layers"]
    assert [layer["Version"] for layer in listed] == [2, 1]
    assert cloud.scar("layer", "prune").stdout == f"deleted {first}\n"


def test_errors_tell_code_and_request_and_what_to_do(cloud: Cloud):
    done = cloud.scar("describe", "-n", "none", status=66)
    assert "ResourceNotFoundException" in done.stderr
    assert re.search(r"request [\w-]+", done.stderr)
    assert done.stdout == ""
    no_region = cloud.scar("ls", status=None, AWS_REGION="")
    assert no_region.returncode != 0
    assert "region" in no_region.stderr.lower()


def test_secrets_are_in_no_message(cloud: Cloud, definition: Path):
    done = cloud.scar("apply", "-f", definition, *APPLY, "-v")
    for secret in ("SECRET", "AKIDEXAMPLE", "secret_key"):
        assert secret not in done.stdout + done.stderr


def test_what_cannot_be_deployed_is_refused_before_anything_is_made(cloud: Cloud, tmp_path: Path):
    path = tmp_path / "bad.yaml"
    path.write_text(DEFINITION.replace("memory: 1024", "memroy: 1024"))
    done = cloud.scar("apply", "-f", path, *APPLY, status=None)
    assert done.returncode not in (0, 2)
    assert re.search(r"bad\.yaml: line 6: functions\.aws\[0\]\.lambda\.memroy is not known \(did you mean memory\?\)", done.stderr)
    assert cloud.of("s3").list_buckets()["Buckets"] == []


class Stubborn(BaseHTTPRequestHandler):
    """Takes requests and does not answer."""

    seen = threading.Event()

    def do_GET(self) -> None:
        self.seen.set()
        threading.Event().wait(30)

    do_POST = do_GET

    def log_message(self, *_args: object) -> None:
        pass


def test_ctrl_c_ends_a_call_under_way(cloud: Cloud):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stubborn)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environ = cloud.environ | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    with subprocess.Popen([SCAR, "ls"], env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert Stubborn.seen.wait(10)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "interrupted" in process.stderr.read()
    server.shutdown()


def test_a_url_and_limits_are_as_the_definition_says(cloud, definition):
    plain = definition.read_text()
    extra = "      url: {invoke_mode: RESPONSE_STREAM}\n      reserved_concurrency: 7\n      retry_attempts: 0\n      maximum_event_age: 600\n"
    definition.write_text(plain.replace("      timeout: 60\n", "      timeout: 60\n" + extra))
    done = cloud.scar("apply", "-f", definition, *APPLY, "-o", "json")
    assert f"+ URL of {NAME}" in done.stderr and f"limits of {NAME}" in done.stderr
    functions = cloud.of("lambda")
    url = functions.get_function_url_config(FunctionName=NAME)
    assert (url["AuthType"], url["InvokeMode"]) == ("NONE", "RESPONSE_STREAM")
    (told,) = json.loads(done.stdout)["Functions"]
    assert told["FunctionUrl"] == url["FunctionUrl"]
    statements = json.loads(functions.get_policy(FunctionName=NAME)["Policy"])["Statement"]
    assert {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"} <= {statement["Action"] for statement in statements if statement["Principal"] in ("*", {"AWS": "*"})}
    assert functions.get_function_concurrency(FunctionName=NAME)["ReservedConcurrentExecutions"] == 7
    config = functions.get_function_event_invoke_config(FunctionName=NAME)
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 600)
    # Nothing is left to do.
    assert set(signs(cloud.scar("apply", "-f", definition, *APPLY, "-v").stderr)) == {"="}
    definition.write_text(definition.read_text().replace("url: {", "url: {auth_type: AWS_IAM, ").replace("concurrency: 7", "concurrency: 9"))
    again = cloud.scar("apply", "-f", definition, *APPLY)
    assert f"~ URL of {NAME}" in again.stderr and f"~ limits of {NAME}" in again.stderr
    # moto does not change the mode of a URL that is there, so another setting stands for it.
    assert functions.get_function_url_config(FunctionName=NAME)["AuthType"] == "AWS_IAM"
    assert functions.get_function_concurrency(FunctionName=NAME)["ReservedConcurrentExecutions"] == 9
    cloud.scar("rm", "-n", NAME)


def test_a_url_for_those_who_sign_is_open_to_nobody_else(cloud, definition):
    definition.write_text(definition.read_text().replace("      timeout: 60\n", "      timeout: 60\n      url: {auth_type: AWS_IAM}\n"))
    cloud.scar("apply", "-f", definition, *APPLY)
    functions = cloud.of("lambda")
    assert functions.get_function_url_config(FunctionName=NAME)["AuthType"] == "AWS_IAM"
    statements = json.loads(functions.get_policy(FunctionName=NAME)["Policy"])["Statement"]
    assert [statement for statement in statements if statement["Principal"] in ("*", {"AWS": "*"})] == []
