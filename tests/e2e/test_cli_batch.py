# SPDX-License-Identifier: Apache-2.0
"""`scar apply` and `rm` of functions with jobs of AWS Batch, against moto; what a machine does when it starts is done here, in a shell."""

import base64
import email
import json
import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.support import chroot, images
from tests.support.cloud import ACCOUNT, KEYS, REGION, Cloud
from tests.support.places import BOOTSTRAP

pytest.importorskip("botocore", reason="botocore is not installed; tests/run.sh puts it into a venv where a Python package index answers")
from botocore.auth import S3SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

NAME = "work"
SECRET, TOKEN = "se/cr+et=", "to/k+en=="
BUCKET = f"scar-{ACCOUNT}-{REGION}"
APPLY = ("--no-layer", "--no-image-check")
SCRIPT = 'echo "$0 of $AWS_LAMBDA_FUNCTION_NAME, quality $QUALITY, $KIND"; cat\n'


@pytest.fixture
def service_role(cloud: Cloud) -> str:
    """AWS has a role for Batch in every account; moto wants to be told one."""
    return cloud.of("iam").create_role(RoleName="AWSBatchServiceRole", AssumeRolePolicyDocument="{}")["Role"]["Arn"]


def write(folder: Path, service_role: str, batch: dict | None = None, resources: dict | None = None, **more) -> Path:
    """A definition, of which `more` goes to lambda."""
    (folder / "work.sh").write_text(SCRIPT)
    function = {"name": NAME, "execution_mode": "batch", "init_script": "work.sh", "container": {"image": "grycap/imagemagick", "environment": {"Variables": {"QUALITY": "80"}}}}
    jobs = {"service_role": service_role, "environment": {"Variables": {"KIND": "job"}}} | (batch or {})
    if resources:
        jobs["compute_resources"] = resources
    path = folder / "function.yaml"
    path.write_text(yaml.safe_dump({"functions": {"aws": [{"lambda": function | more, "batch": jobs}]}}))
    return path


def only(items: list) -> dict:
    assert len(items) == 1, items
    return items[0]


def definition(cloud: Cloud) -> dict:
    return only(cloud.of("batch").describe_job_definitions(jobDefinitionName=NAME, status="ACTIVE")["jobDefinitions"])


def changes(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line[:2] in ("+ ", "~ ")]


def test_apply_makes_all_that_jobs_need_and_a_second_one_nothing(cloud: Cloud, service_role: str, tmp_path: Path):
    path = write(tmp_path, service_role, {"vcpus": 4, "memory": 2048}, {"max_v_cpus": 8})
    shown = cloud.scar("apply", "-f", path, *APPLY, "--dry-run").stdout
    for step in (f"+ bucket {BUCKET}", f"+ runtime of jobs {BUCKET}", f"+ Batch queue {NAME}", f"+ job definition {NAME}"):
        assert step in shown
    assert not cloud.of("batch").describe_job_queues()["jobQueues"]

    cloud.scar("apply", "-f", path, *APPLY)
    place = only(cloud.of("batch").describe_compute_environments()["computeEnvironments"])
    resources = place["computeResources"]
    assert (place["computeEnvironmentName"], place["state"], place["serviceRole"]) == (NAME, "ENABLED", service_role)
    assert (resources["type"], resources["minvCpus"], resources["maxvCpus"], resources["instanceTypes"]) == ("EC2", 0, 8, ["optimal"])
    assert resources["subnets"] and resources["securityGroupIds"]
    queue = only(cloud.of("batch").describe_job_queues()["jobQueues"])
    assert (queue["jobQueueName"], queue["computeEnvironmentOrder"][0]["computeEnvironment"].rpartition("/")[2]) == (NAME, NAME)

    job = definition(cloud)["containerProperties"]
    assert (job["image"], job["command"]) == ("grycap/imagemagick", ["/opt/scar/bootstrap"])
    assert {need["type"]: need["value"] for need in job["resourceRequirements"]} == {"VCPU": "4", "MEMORY": "2048"}
    assert only(job["volumes"])["host"] == {"sourcePath": "/opt/scar"}
    assert (only(job["mountPoints"])["containerPath"], only(job["mountPoints"])["readOnly"]) == ("/opt/scar", True)
    variables = {pair["name"]: pair["value"] for pair in job["environment"]}
    assert (variables["QUALITY"], variables["KIND"]) == ("80", "job")
    assert json.loads(base64.b64decode(variables["FUNCTION_CONFIG"]))["execution_mode"] == "batch"

    iam = cloud.of("iam")
    role = iam.get_role(RoleName=job["jobRoleArn"].rpartition("/")[2])["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] == ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]
    host = iam.get_instance_profile(InstanceProfileName=resources["instanceRole"].rpartition("/")[2])["InstanceProfile"]
    assert only(host["Roles"])["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"] == "ec2.amazonaws.com"
    allowed = iam.get_role_policy(RoleName=host["Roles"][0]["RoleName"], PolicyName="scar")["PolicyDocument"]["Statement"][0]
    assert (allowed["Action"], allowed["Resource"]) == ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/scar/*")
    assert cloud.of("s3").get_object(Bucket=BUCKET, Key="scar/bootstrap-x86_64")["Body"].read() == BOOTSTRAP.read_bytes()
    function = cloud.of("lambda").get_function_configuration(FunctionName=NAME)
    assert function["Environment"]["Variables"]["SCAR_EXECUTION_MODE"] == "batch"

    again = cloud.scar("apply", "-f", path, *APPLY)
    assert not changes(again.stderr) and definition(cloud)["revision"] == 1


def test_what_changed_is_a_new_revision(cloud: Cloud, service_role: str, tmp_path: Path):
    cloud.scar("apply", "-f", write(tmp_path, service_role), *APPLY)
    path = write(tmp_path, service_role, {"memory": 4096, "state": "DISABLED"}, {"max_v_cpus": 16})
    done = cloud.scar("apply", "-f", path, *APPLY)
    assert f"~ job definition {NAME}" in changes(done.stderr)
    latest = max(cloud.of("batch").describe_job_definitions(jobDefinitionName=NAME)["jobDefinitions"], key=lambda job: job["revision"])
    assert latest["revision"] == 2 and {"type": "MEMORY", "value": "4096"} in latest["containerProperties"]["resourceRequirements"]
    # moto changes the state alone; test_aws_requests.py has the rest.
    assert only(cloud.of("batch").describe_compute_environments()["computeEnvironments"])["state"] == "DISABLED"
    assert not changes(cloud.scar("apply", "-f", path, *APPLY).stderr)


@pytest.mark.parametrize(
    ("resources", "said"),
    [({"type": "SPOT"}, "type EC2, and cannot be changed to SPOT"), ({"instance_types": ["c5.large"]}, "cannot be changed to c5.large"), ({"launch_template_name": "mine"}, "cannot be changed to mine")],
)
def test_what_cannot_be_changed_is_refused_and_undone_by_the_old_definition(cloud: Cloud, service_role: str, tmp_path: Path, resources: dict, said: str):
    cloud.scar("apply", "-f", write(tmp_path, service_role), *APPLY)
    done = cloud.scar("apply", "-f", write(tmp_path, service_role, None, resources), *APPLY, status=None)
    assert done.returncode == 78 and said in done.stderr and "scar rm" in done.stderr
    # The tag vouches for what was there before: with the old definition all is as it was.
    assert not changes(cloud.scar("apply", "-f", write(tmp_path, service_role), *APPLY).stderr)


def test_a_function_of_lambda_becomes_one_with_jobs(cloud: Cloud, service_role: str, tmp_path: Path):
    cloud.scar("apply", "-f", write(tmp_path, service_role, execution_mode="lambda"), *APPLY)
    assert not cloud.of("batch").describe_job_queues()["jobQueues"]
    cloud.scar("apply", "-f", write(tmp_path, service_role, execution_mode="lambda-batch"), *APPLY)
    role = definition(cloud)["containerProperties"]["jobRoleArn"].rpartition("/")[2]
    trusted = cloud.of("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    assert "ecs-tasks.amazonaws.com" in trusted
    statements = cloud.of("iam").get_role_policy(RoleName=role, PolicyName="scar")["PolicyDocument"]["Statement"]
    assert any("batch:SubmitJob" in statement["Action"] for statement in statements)


def test_jobs_of_several_nodes_with_gpus(cloud: Cloud, service_role: str, tmp_path: Path):
    batch = {"enable_gpu": True, "multi_node_parallel": {"enabled": True, "number_nodes": 3, "main_node_index": 1}}
    cloud.scar("apply", "-f", write(tmp_path, service_role, batch), *APPLY)
    # moto keeps no nodeProperties; test_aws_requests.py has them.
    assert definition(cloud)["type"] == "multinode"
    assert only(cloud.of("batch").describe_compute_environments()["computeEnvironments"])["computeResources"]["instanceTypes"] == ["g4dn"]


@pytest.mark.parametrize(
    ("more", "resources", "said"),
    [
        ({"container": {"image": "oci:/images/one"}}, None, "takes its images from a registry"),
        ({"container": {"image": "busybox", "environment": {"Variables": {"A": "x" * 30000}}}}, None, "of which Batch takes 24576"),
    ],
)
def test_what_batch_cannot_run_is_refused_before_anything_is_made(cloud: Cloud, service_role: str, tmp_path: Path, more: dict, resources: dict | None, said: str):
    done = cloud.scar("apply", "-f", write(tmp_path, service_role, None, resources, **more), *APPLY, status=None)
    assert done.returncode != 0 and said in done.stderr
    assert not cloud.of("s3").list_buckets()["Buckets"] and not cloud.of("lambda").list_functions()["Functions"]


def test_jobs_on_fargate_have_their_runtime_in_the_image(cloud: Cloud, service_role: str, tmp_path: Path):
    path = write(tmp_path, service_role, None, {"type": "FARGATE_SPOT", "max_v_cpus": 4})
    done = cloud.scar("apply", "-f", path, *APPLY)
    assert "the image must have it at /opt/scar/bootstrap" in done.stderr
    place = only(cloud.of("batch").describe_compute_environments()["computeEnvironments"])["computeResources"]
    assert (place["type"], place["maxvCpus"]) == ("FARGATE_SPOT", 4) and "launchTemplate" not in place and "instanceRole" not in place
    job = definition(cloud)
    container = job["containerProperties"]
    assert job["platformCapabilities"] == ["FARGATE"] and not container.get("volumes")
    assert container["executionRoleArn"] == container["jobRoleArn"] and container["command"] == ["/opt/scar/bootstrap"]
    assert {"type": "MEMORY", "value": "2048"} in container["resourceRequirements"]
    role = container["jobRoleArn"].rpartition("/")[2]
    assert "AmazonECSTaskExecutionRolePolicy" in [policy["PolicyName"] for policy in cloud.of("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]]
    assert not cloud.of("s3").list_buckets()["Buckets"] and not cloud.of("ec2").describe_launch_templates()["LaunchTemplates"]
    assert not changes(cloud.scar("apply", "-f", path, *APPLY).stderr)
    cloud.scar("rm", "-n", NAME)
    assert [role["RoleName"] for role in cloud.of("iam").list_roles()["Roles"]] == ["AWSBatchServiceRole"]


def test_rm_leaves_the_bucket_only(cloud: Cloud, service_role: str, tmp_path: Path):
    cloud.scar("apply", "-f", write(tmp_path, service_role), *APPLY)
    cloud.scar("rm", "-n", NAME)
    batch, iam = cloud.of("batch"), cloud.of("iam")
    assert not batch.describe_job_queues()["jobQueues"] and not batch.describe_compute_environments()["computeEnvironments"]
    assert not batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    assert not iam.list_instance_profiles()["InstanceProfiles"] and [role["RoleName"] for role in iam.list_roles()["Roles"]] == ["AWSBatchServiceRole"]
    assert not cloud.of("ec2").describe_launch_templates()["LaunchTemplates"]
    assert [bucket["Name"] for bucket in cloud.of("s3").list_buckets()["Buckets"]] == [BUCKET]


class Signed(BaseHTTPRequestHandler):
    """S3 as a machine meets it: the signature is checked by botocore's own, then moto answers."""

    cloud: Cloud
    wrong: list[str]

    def log_message(self, *_):
        pass

    def do_GET(self):
        fields = dict(self.headers.items())
        given = dict(re.findall(r"(\w+)=([^, ]+)", fields["Authorization"]))
        names = given["SignedHeaders"].split(";")
        request = AWSRequest("GET", f"http://{fields['Host']}{self.path}", headers={name: value for name, value in fields.items() if name.lower() in names})
        request.context["timestamp"] = fields["X-Amz-Date"]
        signer = S3SigV4Auth(Credentials(KEYS["aws_access_key_id"], SECRET, TOKEN), "s3", REGION)
        signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        if signature != given["Signature"]:
            self.wrong.append(fields["Authorization"])
        unsigned = [name for name in fields if name.lower().startswith("x-amz-") and name.lower() not in names]
        self.wrong += [f"not signed: {name}" for name in unsigned]
        if fields.get("x-amz-expected-bucket-owner") != ACCOUNT:
            self.wrong.append("no owner")
        _, bucket, key = self.path.split("/", 2)
        body = self.cloud.of("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Metadata(BaseHTTPRequestHandler):
    """EC2's instance metadata, version 2: nothing is told without a token."""

    def log_message(self, *_):
        pass

    def answer(self, status: int, text: str = ""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.answer(200 if self.headers.get("X-aws-ec2-metadata-token-ttl-seconds") else 400, "a-token")

    def do_GET(self):
        folder = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
            return self.answer(401)
        if self.path == folder:
            return self.answer(200, "host")
        keys = {"Code": "Success", "AccessKeyId": KEYS["aws_access_key_id"], "SecretAccessKey": SECRET, "Token": TOKEN}
        return self.answer(200, json.dumps(keys, indent=2)) if self.path == folder + "host" else self.answer(404)


@pytest.mark.parametrize("tool", ["curl", "aws"])
def test_a_machine_that_starts_fetches_the_runtime_which_does_the_job(cloud: Cloud, service_role: str, tmp_path: Path, container: Path, tool: str):
    cloud.scar("apply", "-f", write(tmp_path, service_role), *APPLY)
    ec2 = cloud.of("ec2")
    resources = only(cloud.of("batch").describe_compute_environments()["computeEnvironments"])["computeResources"]
    template = ec2.describe_launch_template_versions(LaunchTemplateName=resources["launchTemplate"]["launchTemplateName"])
    data = base64.b64decode(only(template["LaunchTemplateVersions"])["LaunchTemplateData"]["UserData"]).decode()
    message = email.message_from_string(data)
    assert message.is_multipart()
    part = only(message.get_payload())
    assert part.get_content_type() == "text/x-shellscript"

    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "curl", "sed", "tr", "mkdir", "chmod", "mv", "cat"):
        (tools / name).symlink_to(shutil.which(name))
    if tool == "aws":
        (tools / "aws").write_text(f'#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin exec {shutil.which("aws")} --endpoint-url {cloud.url} "$@"\n')
        (tools / "aws").chmod(0o755)
    handler = type("Handler", (Signed,), {"cloud": cloud, "wrong": []})
    metadata, storage = (ThreadingHTTPServer(("127.0.0.1", 0), kind) for kind in (Metadata, handler))
    for server in (metadata, storage):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        script = part.get_payload()
        for there, here in (("http://169.254.169.254", f"http://127.0.0.1:{metadata.server_port}"), ("https://s3.$region.$domain", f"http://127.0.0.1:{storage.server_port}"), ("/opt/scar", str(tmp_path / "opt"))):
            assert there in script
            script = script.replace(there, here)
        environ = {"PATH": str(tools), "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        subprocess.run(["/bin/sh", "-c", script], env=environ, check=True, timeout=60)
    finally:
        for server in (metadata, storage):
            server.shutdown()
            server.server_close()
    assert not handler.wrong
    runtime = tmp_path / "opt/bootstrap"
    assert runtime.read_bytes() == BOOTSTRAP.read_bytes() and os.access(runtime, os.X_OK)

    job = definition(cloud)["containerProperties"]
    mounted = container / only(job["mountPoints"])["containerPath"].lstrip("/")
    mounted.mkdir(parents=True, exist_ok=True)
    shutil.copy(runtime, mounted)
    variables = {pair["name"]: pair["value"] for pair in job["environment"]}
    submitted = {"SCRIPT": base64.b64encode(SCRIPT.encode()).decode(), "EVENT": '{"a": 1}', "AWS_LAMBDA_REQUEST_ID": "r-1", "PATH": "/bin"}
    done = chroot.run(container, job["command"], variables | submitted)
    assert done.returncode == 0, done.stderr
    assert f"of {NAME}, quality 80, job\n" in done.stdout.decode() and '{"a": 1}' in done.stdout.decode()
