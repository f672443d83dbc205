# SPDX-License-Identifier: Apache-2.0
"""Our AWS clients against moto: what they make is there, what they remove is gone, and doing it twice changes nothing."""

import base64
import io
import json
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws_probe import KEYS, Probe, Refused, build
from tests.support.storage_servers import Server

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed; tests/run.sh puts it into a venv where a Python package index answers")
pytest.importorskip("moto.server", reason="moto is not installed")

REGION, ACCOUNT = "eu-west-1", "123456789012"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


class Moto(Server):
    """Without Docker: an invocation gives its payload back, a job succeeds at once."""

    def command(self) -> list[str]:
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def __enter__(self) -> "Moto":
        super().__enter__()
        body = json.dumps({"lambda": {"use_docker": False}, "batch": {"use_docker": False}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/config", body, {"Content-Type": "application/json"}), timeout=20).close()
        return self

    def client(self, service: str, region: str = REGION):
        return boto3.client(service, endpoint_url=self.url, region_name=region, aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"])


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with Moto() as running:
        yield running


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def probe(program: Path, moto: Moto) -> Iterator[Probe]:
    with Probe(program, "--region", REGION, "--endpoint-url", moto.url) as running:
        yield running


def package() -> str:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\n")
    return base64.b64encode(memory.getvalue()).decode()


def kind(probe: Probe, op: str, **arguments) -> str:
    with pytest.raises(Refused) as caught:
        probe(op, **arguments)
    return caught.value.error["kind"]


def test_who_asks_is_known(probe: Probe) -> None:
    found = probe("sts.identity")
    assert (found["account"], found["partition"]) == (ACCOUNT, "aws")


def test_a_function_is_made_changed_invoked_and_removed(probe: Probe, moto: Moto) -> None:
    policy = probe("policy.write", partition="aws", region=REGION, account=ACCOUNT, name="f", read=["in/a"], write=["out"], vpc=True, files=True, batch=True)
    role = probe("role.put", name="scar-f", managed=[BASIC], policy_name="own", policy=policy, tags={"createdby": "scar"})
    assert role["created"] and probe("role.put", name="scar-f", managed=[BASIC])["created"] is False
    assert probe("role.tag", name="scar-f", tag="createdby") == "scar"
    wanted = {"name": "f", "role": role["arn"], "runtime": "provided.al2023", "handler": "h", "zip": package(), "timeout": 30, "memory": 256, "storage": 1024, "environment": {"A": 'b "q"'}, "tags": {"createdby": "scar"}, "architecture": "x86_64"}
    arn = probe("lambda.create", **wanted)["FunctionArn"]
    probe("lambda.wait", name="f")
    seen = moto.client("lambda").get_function(FunctionName="f")
    assert (seen["Configuration"]["MemorySize"], seen["Configuration"]["Environment"]["Variables"], seen["Tags"]) == (256, {"A": 'b "q"'}, {"createdby": "scar"})
    assert kind(probe, "lambda.create", **wanted) == "config"
    probe("lambda.configure", name="f", memory=512, environment={})
    probe("lambda.code", name="f", zip=package())
    assert moto.client("lambda").get_function_configuration(FunctionName="f")["MemorySize"] == 512
    assert [item["FunctionName"] for item in probe("lambda.list")] == ["f"]
    assert probe("invoke", name="f", payload='{"a": 1}', log=True)["payload"] == '{"a": 1}'
    probe("lambda.untag", arn=arn, names=["createdby"])
    assert probe("lambda.tags", arn=arn) == {"Tags": {}}
    url = probe("url.put", name="f", stream=True)
    assert url.startswith("https://")
    actions = {statement["Action"] for statement in probe("policy.get", name="f")["Statement"]}
    assert actions == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert probe("url.put", name="f", iam=True)
    assert kind(probe, "policy.get", name="f") == "not-found" or not probe("policy.get", name="f")["Statement"]
    probe("url.delete", name="f")
    probe("retries.put", name="f", retries=0)
    probe("concurrency.put", name="f", reserved=5)
    probe("lambda.delete", name="f")
    assert kind(probe, "lambda.get", name="f") == "not-found"
    probe("role.delete", name="scar-f")
    probe("role.delete", name="scar-f")
    assert "scar-f" not in [role["RoleName"] for role in moto.client("iam").list_roles()["Roles"]]


def test_layers_come_and_go(probe: Probe) -> None:
    for description in ("one", "two"):
        probe("layer.publish", name="l", zip=package(), description=description, runtimes=["provided.al2023"])
    assert sorted(item["Description"] for item in probe("layer.list", name="l")) == ["one", "two"]
    assert [item["LayerName"] for item in probe("layer.list")] == ["l"]
    probe("layer.delete", name="l", version=1)
    probe("layer.delete", name="l", version=1)
    assert [item["Version"] for item in probe("layer.list", name="l")] == [2]


def test_buckets_are_made_where_they_shall_be(probe: Probe, moto: Moto) -> None:
    assert probe("bucket.create", bucket="scar-made") is True
    assert probe("bucket.create", bucket="scar-made") is False
    assert moto.client("s3").get_bucket_location(Bucket="scar-made")["LocationConstraint"] == REGION
    assert "scar-made" in probe("bucket.list")
    probe("bucket.delete", bucket="scar-made")
    probe("bucket.delete", bucket="scar-made")
    assert kind(probe, "bucket.region", bucket="scar-made") == "not-found"


def test_keys_may_hold_anything(probe: Probe, moto: Moto) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="odd", CreateBucketConfiguration={"LocationConstraint": REGION})
    keys = ["a b+c%d/é~'(1)*!&=?#.txt", "x//y", "ä日本", "%41", "<&>\"", "-._~", "tail "]
    for key in keys:
        probe("object.put", bucket="odd", key=key, data=key)
    assert sorted(entry["Key"] for entry in s3.list_objects_v2(Bucket="odd")["Contents"]) == sorted(keys)
    assert sorted(key for key, _ in probe("object.list", bucket="odd")) == sorted(keys)
    for key in keys:
        assert probe("object.get", bucket="odd", key=key) == key == s3.get_object(Bucket="odd", Key=key)["Body"].read().decode()
        assert probe("object.head", bucket="odd", key=key) == len(key.encode())
    probe("object.delete", bucket="odd", key="x//y")
    assert probe("prefix.delete", bucket="odd") == len(keys) - 1
    assert "Contents" not in s3.list_objects_v2(Bucket="odd")


def test_lists_go_on_after_a_thousand(probe: Probe, moto: Moto) -> None:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="many", CreateBucketConfiguration={"LocationConstraint": REGION})
    for number in range(1203):
        s3.put_object(Bucket="many", Key=f"in/{number:04}", Body=b"")
    s3.put_object(Bucket="many", Key="other", Body=b"")
    assert [key for key, _ in probe("object.list", bucket="many", prefix="in/")] == [f"in/{number:04}" for number in range(1203)]
    assert probe("prefix.delete", bucket="many", prefix="in/") == 1203
    assert [key for key, _ in probe("object.list", bucket="many")] == ["other"]


def test_large_files_arrive_whole(probe: Probe, moto: Moto, tmp_path: Path) -> None:
    moto.client("s3").create_bucket(Bucket="large", CreateBucketConfiguration={"LocationConstraint": REGION})
    block = os.urandom(1 << 20)
    with (tmp_path / "up").open("wb") as file:
        for number in range(70):
            file.write(number.to_bytes(4, "big") + block[4:])
    probe("object.put", bucket="large", key="k", file=str(tmp_path / "up"))
    probe("object.get", bucket="large", key="k", file=str(tmp_path / "down"))
    assert subprocess.run(["cmp", tmp_path / "up", tmp_path / "down"], check=False).returncode == 0
    assert not moto.client("s3").list_multipart_uploads(Bucket="large").get("Uploads")


def test_trees_come_back_as_they_went(probe: Probe, moto: Moto, tmp_path: Path) -> None:
    moto.client("s3").create_bucket(Bucket="trees", CreateBucketConfiguration={"LocationConstraint": REGION})
    files = {"a.txt": b"1", "sub/b c.txt": b"2", "sub/deep/é": b"", "sub/deep/same": b"3", "same": b"4"}
    for name, content in files.items():
        (tmp_path / "up" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "up" / name).write_bytes(content)
    (tmp_path / "up/loop").symlink_to(".")
    (tmp_path / "up/link").symlink_to("a.txt")
    assert probe("tree.put", bucket="trees", prefix="in/x", path=str(tmp_path / "up")) == len(files) + 1
    assert probe("tree.get", bucket="trees", prefix="in/x/", path=str(tmp_path / "down")) == len(files) + 1
    found = {str(path.relative_to(tmp_path / "down")): path.read_bytes() for path in (tmp_path / "down").rglob("*") if path.is_file()}
    assert found == files | {"link": b"1"}
    assert probe("tree.put", bucket="trees", prefix="one/", path=str(tmp_path / "up/a.txt")) == 1
    assert probe("tree.put", bucket="trees", prefix="two", path=str(tmp_path / "up/a.txt"), exact=True) == 1
    assert [key for key, _ in probe("object.list", bucket="trees", prefix="one")] + [key for key, _ in probe("object.list", bucket="trees", prefix="two")] == ["one/a.txt", "two"]


def test_triggers_leave_others_alone(probe: Probe, moto: Moto) -> None:
    s3, sns = moto.client("s3"), moto.client("sns")
    s3.create_bucket(Bucket="noted", CreateBucketConfiguration={"LocationConstraint": REGION})
    topic = sns.create_topic(Name="t")["TopicArn"]
    s3.put_bucket_notification_configuration(Bucket="noted", NotificationConfiguration={"TopicConfigurations": [{"Id": "theirs", "TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}]})
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    assert probe("trigger.put", bucket="noted", id="scar-f", function=arn, prefix="in/") is True
    assert probe("trigger.put", bucket="noted", id="scar-f", function=arn, prefix="in/") is False
    found = s3.get_bucket_notification_configuration(Bucket="noted")
    assert found["TopicConfigurations"][0]["Id"] == "theirs"
    assert found["LambdaFunctionConfigurations"][0]["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "in/"}]
    assert probe("trigger.delete", bucket="noted", function=arn) is True
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket="noted")
    assert probe("trigger.delete", bucket="nowhere-at-all", function=arn) is False


def test_logs_are_read_in_their_order(probe: Probe, moto: Moto) -> None:
    logs, group = moto.client("logs"), "/aws/lambda/f"
    assert kind(probe, "logs.read", group=group) == "not-found"
    assert probe("group.create", group=group, tags={"a": "b"}) is True
    assert probe("group.create", group=group) is False
    probe("group.retention", group=group, days=30)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 30
    now = int(time.time() * 1000)
    for stream, offset in (("s1", 0), ("s2", 1)):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now - 1000 + 2 * number + offset, "message": f"{stream} {number}\n"} for number in range(5)])
    found = probe("logs.read", group=group)
    assert [when for _, when, _ in found] == sorted(when for _, when, _ in found)
    assert len(found) == 10 and {stream for stream, _, _ in found} == {"s1", "s2"}
    assert len(probe("logs.read", group=group, stream="s1")) == 5
    assert [message for _, _, message in probe("logs.stream", group=group, stream="s2")] == [f"s2 {number}\n" for number in range(5)]
    assert len(probe("logs.read", group=group, since=now - 995)) == 5
    assert probe("group.delete", group=group) is True
    assert probe("group.delete", group=group) is False


def test_apis_stand_before_a_function(probe: Probe, moto: Moto) -> None:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    api, client = probe("rest.create", name="scar-f", function=arn, tags={"createdby": "scar"}), moto.client("apigateway")
    proxy = next(item for item in client.get_resources(restApiId=api)["items"] if item["path"] == "/{proxy+}")
    integration = client.get_integration(restApiId=api, resourceId=proxy["id"], httpMethod="ANY")
    assert (integration["type"], integration["httpMethod"]) == ("AWS_PROXY", "POST") and arn in integration["uri"]
    assert [stage["stageName"] for stage in client.get_stages(restApiId=api)["item"]] == ["scar"]
    assert [item["id"] for item in probe("rest.list")] == [api]
    probe("rest.delete", id=api)
    assert probe("rest.list") == []
    api = probe("http.create", name="scar-f", function=arn)
    assert [item["apiId"] for item in probe("http.list")] == [api]
    probe("http.delete", id=api)
    probe("http.delete", id=api)
    assert probe("http.list") == []


def test_what_carries_a_tag_is_found(probe: Probe, moto: Moto) -> None:
    for name, owner in (("tagged-1", "me"), ("tagged-2", "you")):
        moto.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        moto.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "createdby", "Value": "scar"}, {"Key": "owner", "Value": owner}]})
    found = probe("tagging", type="s3", tags={"createdby": "scar", "owner": "me"})
    assert [item["ResourceARN"] for item in found] == ["arn:aws:s3:::tagged-1"]
    assert len(probe("tagging", tags={"createdby": "scar"})) == 2


def test_repositories_and_their_password(probe: Probe) -> None:
    uri = probe("repository.create", name="a/b")
    assert uri == probe("repository.create", name="a/b") == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/a/b"
    assert probe("registry.password") == "AWS"
    assert probe("repository.delete", name="a/b") is True
    assert probe("repository.delete", name="a/b") is False


def test_jobs_have_a_place_run_and_go(probe: Probe, moto: Moto) -> None:
    role = probe("role.put", name="batch", service="batch.amazonaws.com")["arn"]
    environment = {"name": "scar-job", "type": "FARGATE", "max": 2, "service_role": role}
    assert probe("batch.environment", **environment) is True
    assert probe("batch.environment", **environment) is False
    assert probe("batch.queue", name="scar-job", environment="scar-job") is True
    assert probe("batch.queue", name="scar-job", environment="scar-job") is False
    needs = {"name": "scar-job", "image": "busybox", "command": ["true"], "vcpus": "0.25", "memory": 512, "fargate": True, "execution_role": role}
    assert [probe("batch.register", **needs)["revision"] for _ in range(2)] == [1, 2]
    job = probe("batch.submit", name="j", queue="scar-job", definition="scar-job", environment={"A": "b"})
    deadline = time.monotonic() + 30
    while probe("batch.job", id=job)["status"] != "SUCCEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [item["jobId"] for item in probe("batch.jobs", queue="scar-job", status="SUCCEEDED")] == [job]
    assert probe("batch.delete", name="scar-job") is True
    assert probe("batch.delete", name="scar-job") is False
    batch = moto.client("batch")
    assert not batch.describe_compute_environments()["computeEnvironments"] and not batch.describe_job_queues()["jobQueues"]
    assert not batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
