# SPDX-License-Identifier: Apache-2.0
"""Work that goes to AWS Batch: submitted by a function in the jail to moto's Batch, and done by the same bootstrap as supervisor of a job, in a container
that is a chroot of an image's files."""

import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import chroot
from tests.support.lambda_local import NAME, LocalLambda
from tests.support.storage_servers import ACCESS_KEY, S3, SECRET_KEY

REGION = "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": ""}
UPPER = "tr a-z A-Z <$INPUT_FILE_PATH >$TMP_OUTPUT_DIR/$(basename $STORAGE_OBJECT_KEY).upper; echo $GREETING; id -u"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Aws(S3):
    """moto with S3 and Batch; jobs are only written down, since there is no Docker."""

    def __enter__(self) -> "Aws":
        super().__enter__()
        config = json.dumps({"batch": {"use_docker": False}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/config", data=config, method="POST"), timeout=10).close()
        self.s3 = self.of("s3")
        self.s3.create_bucket(Bucket="data")
        self.batch = self.of("batch")
        return self

    def of(self, service: str):
        import boto3

        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def make_queue(self) -> None:
        """As SCAR does: queue and job definition have the function's name."""
        batch = self.batch
        role = self.of("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        where = batch.create_compute_environment(computeEnvironmentName=NAME, type="UNMANAGED", state="ENABLED", serviceRole=role)["computeEnvironmentArn"]
        batch.create_job_queue(jobQueueName=NAME, state="ENABLED", priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": where}])
        container = {"image": "busybox", "vcpus": 1, "memory": 128, "command": ["/bootstrap"]}
        batch.register_job_definition(jobDefinitionName=NAME, type="container", containerProperties=container)

    def jobs(self) -> list[dict]:
        listed = [job["jobId"] for status in ("SUBMITTED", "RUNNABLE", "RUNNING", "SUCCEEDED") for job in self.batch.list_jobs(jobQueue=NAME, jobStatus=status)["jobSummaryList"]]
        return self.batch.describe_jobs(jobs=listed)["jobs"] if listed else []


def variables(job: dict) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in job["container"]["environment"]}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Aws() as server:
        server.make_queue()
        yield server


def s3_event(*keys: str) -> dict:
    return {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "data"}, "object": {"key": key}}} for key in keys]}


def definition(aws: Aws, **more: object) -> str:
    return b64(json.dumps({"name": NAME, "output": [{"storage_provider": "s3", "path": "data/out"}]} | more))


def test_what_takes_too_long_becomes_a_job_that_does_it(pushed, aws, container):
    aws.s3.put_object(Bucket="data", Key="in/a.txt", Body=b"one\n")
    script = f"[ -n \"$GREETING\" ] || sleep 60\n{UPPER}"
    env = {"FDL": definition(aws, execution_mode="lambda-batch"), "SCAR_SCRIPT": b64(script), "AWS_ENDPOINT_URL": aws.url}
    with LocalLambda(pushed("busybox"), options=["--name", NAME], env=env | KEYS, timeout_s=4) as function:
        answer = function.invoke(s3_event("in/a.txt"))
    assert not answer.function_error, answer.text
    (job,) = aws.jobs()
    assert answer.text == f"Job delegated to batch.\nCheck batch logs with:\n  scar log -n {NAME} -ri {job['jobId']}\n"
    given = variables(job)
    assert base64.b64decode(given["SCRIPT"]).decode() == script
    assert json.loads(given["EVENT"]) == s3_event("in/a.txt")
    env = given | KEYS | {"FUNCTION_CONFIG": definition(aws), "GREETING": "hello", "PATH": "/bin", "AWS_ENDPOINT_URL": aws.url, "AWS_REGION": REGION}
    done = chroot.run(container, ["/bootstrap"], env)
    assert (done.returncode, done.stdout) == (0, b"hello\n0\n"), done.stderr
    assert aws.s3.get_object(Bucket="data", Key="out/a.txt.upper")["Body"].read() == b"ONE\n"


def test_everything_goes_to_batch_when_the_definition_says_so(pushed, aws):
    before = len(aws.jobs())
    env = {"FDL": definition(aws, execution_mode="batch"), "AWS_ENDPOINT_URL": aws.url}
    with LocalLambda("127.0.0.1:1/never/pulled", options=["--name", NAME], env=env | KEYS) as function:
        answer = function.invoke(s3_event("in/a.txt", "in/b.txt"))
        too_large = function.invoke({"padding": "x" * 40000})
    assert answer.text.count("Job delegated to batch.") == 2
    events = [json.loads(variables(job)["EVENT"]) for job in aws.jobs()][before:]
    assert sorted(event["Records"][0]["s3"]["object"]["key"] for event in events) == ["in/a.txt", "in/b.txt"]
    assert too_large.document()["errorType"] == "Runtime.LimitExceeded"
    assert "30720 bytes that a job of AWS Batch is told" in too_large.document()["errorMessage"]


def test_an_image_that_does_not_fit_is_a_job(pushed, aws):
    before = len(aws.jobs())
    env = {"FDL": definition(aws, execution_mode="lambda-batch"), "AWS_ENDPOINT_URL": aws.url}
    with LocalLambda(pushed("debian"), options=["--name", NAME], env=env | KEYS, tmp_size_mb=20) as function:
        answer = function.invoke({"x": 1})
        assert "Job delegated to batch." in answer.text, answer.text
    assert len(aws.jobs()) == before + 1


def test_a_queue_that_is_not_there_is_named(pushed, aws):
    env = {"SCAR_EXECUTION_MODE": "batch", "AWS_ENDPOINT_URL": aws.url}
    with LocalLambda(pushed("busybox"), options=["--name", "other"], env=env | KEYS) as function:
        document = function.invoke({}).document()
    assert 'queue and job definition "other"' in document["errorMessage"]


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 7", 7), ("kill -9 $$", 137), ("#!/bin/nothing", 126), ("cat; exit 0", 0)],
)
def test_a_job_ends_as_its_script_does(container, script, status):
    done = chroot.run(container, ["/bootstrap"], {"SCRIPT": b64(script), "PATH": "/bin"}, stdin=b"from stdin")
    assert done.returncode == status, done.stderr
    assert done.stdout == (b"from stdin" if script.startswith("cat") else b"")


def test_a_job_sees_its_container_and_not_its_supervisor(container):
    done = chroot.run(container, ["/bootstrap"], {"SCRIPT": b64("env | sort; pwd"), "EVENT": '{"a": 1}', "PATH": "/bin", "LD_X": "kept", "AWS_BATCH_JOB_ID": "id-1"}, cwd="/etc")
    lines = done.stdout.decode().splitlines()
    assert {"EVENT={\"a\": 1}", "LD_X=kept", "REQUEST_ID=id-1", "TMP_OUTPUT_DIR=/tmp/scar/output", "INPUT_FILE_PATH=/tmp/scar/input/event", "/etc"} <= set(lines)
    assert not [line for line in lines if line.startswith(("SCRIPT=", "SCAR_SCRIPT=", "FUNCTION_CONFIG="))]


def test_a_wrong_job_says_what_is_wrong(container):
    done = chroot.run(container, ["/bootstrap"], {"FUNCTION_CONFIG": b64("output: 5"), "PATH": "/bin"})
    assert (done.returncode, done.stdout) == (78, b"")
    assert b"output: is not a list" in done.stderr
    done = chroot.run(container, ["/bootstrap"], {"FUNCTION_CONFIG": b64("name: f"), "PATH": "/bin"})
    assert done.returncode == 126
    assert b"no command to run" in done.stderr
