# SPDX-License-Identifier: Apache-2.0
"""How our AWS clients behave: repetitions, refusals, redirects, credentials, and what they leave alone. Servers here misbehave on purpose."""

import base64
import datetime
import hashlib
import json
import os
import re
import signal
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.support.aws_probe import KEYS, Probe, Recorder, Refused, build

REGION = "eu-west-1"
SECRET, TOKEN = "SECRETSECRETSECRETSECRET", "TOKENTOKENTOKENTOKENTOKEN"


def js(document: object, status: int = 200, **headers: str) -> tuple:
    return (status, headers, json.dumps(document).encode())


def fail(status: int, code: str, message: str = "") -> tuple:
    return (status, {"x-amzn-ErrorType": f"{code}:http://internal", "x-amzn-RequestId": "req-1"}, json.dumps({"message": message}).encode())


def s3_fail(status: int, code: str, more: str = "", **headers: str) -> tuple:
    return (status, headers, f"<Error><Code>{code}</Code><Message>m</Message>{more}<RequestId>r1</RequestId></Error>".encode())


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture
def probe(program: Path, server: Recorder) -> Iterator[Probe]:
    with Probe(program, "--region", REGION, "--endpoint-url", server.url) as running:
        yield running


def refusal(probe: Probe, op: str, **arguments) -> dict:
    with pytest.raises(Refused) as caught:
        probe(op, **arguments)
    return caught.value.error


# ---- repetitions ----


@pytest.mark.parametrize("answer", [(500, {}, b""), (503, {}, b""), fail(429, "TooManyRequestsException"), fail(400, "ThrottlingException"), None], ids=["500", "503", "429", "throttle", "hangs-up"])
def test_what_may_pass_is_tried_again(probe: Probe, server: Recorder, answer: object) -> None:
    server.answers = [answer, js({"Configuration": {}})]
    assert probe("lambda.get", name="f") == {"Configuration": {}}
    assert len(server.requests) == 2


def test_three_attempts_are_the_most(probe: Probe, server: Recorder) -> None:
    server.fallback = (503, {}, b"")
    error = refusal(probe, "lambda.get", name="f")
    assert (error["kind"], error["status"], len(server.requests)) == ("unavailable", 503, 3)


def test_the_number_of_attempts_can_be_set(program: Path, server: Recorder) -> None:
    server.fallback = (503, {}, b"")
    with Probe(program, "--region", REGION, "--endpoint-url", server.url, environment=KEYS | {"AWS_MAX_ATTEMPTS": "1"}) as probe:
        refusal(probe, "lambda.get", name="f")
    assert len(server.requests) == 1


def test_what_is_refused_is_not_tried_again(probe: Probe, server: Recorder) -> None:
    server.fallback = fail(400, "ValidationException", "no such thing as 5")
    error = refusal(probe, "lambda.get", name="f")
    assert len(server.requests) == 1
    assert error["text"] == "lambda GetFunction: no such thing as 5 (ValidationException, HTTP 400, request req-1)"
    assert (error["kind"], error["code"], error["request_id"]) == ("config", "ValidationException", "req-1")


@pytest.mark.parametrize("answer", [(500, {}, b""), (504, {}, b""), None], ids=["500", "504", "hangs-up"])
def test_an_invocation_that_may_have_begun_is_never_sent_again(probe: Probe, server: Recorder, answer: object) -> None:
    server.answers = [answer]
    refusal(probe, "invoke", name="f", payload="{}")
    assert len(server.requests) == 1


def test_an_invocation_without_a_body_is_not_sent_again_by_the_transport(probe: Probe, server: Recorder) -> None:
    server.answers = [js({}), None]
    probe("lambda.get", name="f")
    refusal(probe, "invoke", name="f")
    assert len(server.requests) == 2


def test_an_invocation_that_was_throttled_is_sent_again(probe: Probe, server: Recorder) -> None:
    server.answers = [fail(429, "TooManyRequestsException"), (200, {}, b"1")]
    assert probe("invoke", name="f", payload="{}")["payload"] == "1"
    assert len(server.requests) == 2




def interrupt_once_asked(probe: Probe, server: Recorder) -> None:
    deadline = time.monotonic() + 60
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.02)
    # The answer is on its way, or the wait has begun: either ends.
    probe.process.send_signal(signal.SIGINT)


def test_a_cancel_ends_a_wait(program: Path, server: Recorder) -> None:
    server.fallback = js({"State": "Pending"})
    with Probe(program, "--region", REGION, "--endpoint-url", server.url) as probe:
        thread = threading.Thread(target=interrupt_once_asked, args=(probe, server))
        thread.start()
        # The state never changes; that the time is over would be another kind.
        assert refusal(probe, "lambda.wait", name="f", timeout=600)["kind"] == "interrupted"
        thread.join()


# ---- clocks and regions ----


def test_a_clock_that_differs_is_no_obstacle(probe: Probe, server: Recorder) -> None:
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=3)
    server.answers = [
        (403, {"Date": format_datetime(then, usegmt=True), "x-amzn-ErrorType": "InvalidSignatureException"}, b'{"message": "Signature expired: 20260101T000000Z is now earlier than 20260101T030000Z"}'),
    ]
    server.server.RequestHandlerClass.date_time_string = lambda self, timestamp=None: format_datetime(then, usegmt=True)
    assert probe("lambda.get", name="f") == {}
    assert [request["headers"]["x-amz-date"][:11] for request in server.requests][1] == then.strftime("%Y%m%dT%H")
    assert probe("lambda.get", name="f") == {}
    assert len(server.requests) == 3


@pytest.mark.parametrize("status,code", [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed"), (307, "TemporaryRedirect")])
def test_a_bucket_elsewhere_is_found_there_and_remembered(probe: Probe, server: Recorder, status: int, code: str) -> None:
    empty = (200, {}, b"<ListBucketResult/>")
    server.answers = [s3_fail(status, code, "<Region>ap-south-1</Region>"), empty, empty]
    assert probe("object.list", bucket="bkt") == [] == probe("object.list", bucket="bkt")
    scopes = [re.search(r"Credential=[^,]*/\d{8}/([^/]+)/", request["headers"]["authorization"])[1] for request in server.requests]
    assert scopes == ["eu-west-1", "ap-south-1", "ap-south-1"]


def test_a_region_of_a_bucket_comes_in_a_header_too(probe: Probe, server: Recorder) -> None:
    server.answers = [(301, {"x-amz-bucket-region": "us-west-2"}, b""), (200, {"x-amz-bucket-region": "us-west-2"}, b"")]
    assert probe("bucket.region", bucket="bkt") == "us-west-2"
    assert "/us-west-2/s3/" in server.requests[1]["headers"]["authorization"]


def test_no_region_says_what_to_set(program: Path, server: Recorder) -> None:
    with Probe(program, "--endpoint-url", server.url) as probe:
        error = refusal(probe, "lambda.get", name="f")
    assert error["kind"] == "config" and "AWS_REGION" in error["text"] and "--region" in error["text"]
    assert not server.requests


# ---- what AWS needs time for ----


def test_a_role_that_is_too_new_is_waited_for(probe: Probe, server: Recorder) -> None:
    server.answers = [fail(400, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."), js({"FunctionName": "f"}, 201)]
    assert probe("lambda.create", name="f", role="r", runtime="provided.al2023", handler="h", zip="UEs=")["FunctionName"] == "f"
    assert len(server.requests) == 2


def test_a_function_that_is_there_is_not_waited_for(probe: Probe, server: Recorder) -> None:
    server.answers = [fail(409, "ResourceConflictException", "Function already exist: f")]
    error = refusal(probe, "lambda.create", name="f", role="r", runtime="provided.al2023", handler="h", zip="UEs=")
    assert error["code"] == "ResourceConflictException" and "update" in error["hint"]


def test_a_conflict_that_will_stay_is_told_at_once(probe: Probe, server: Recorder) -> None:
    server.fallback = fail(409, "ResourceConflictException", "FunctionUrlConfig exists for this Lambda function")
    assert refusal(probe, "lambda.configure", name="f", memory=256)["code"] == "ResourceConflictException"
    assert len(server.requests) == 1


def test_a_change_under_way_is_waited_for(probe: Probe, server: Recorder) -> None:
    busy = fail(409, "ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: f")
    server.answers = [busy, busy, js({"FunctionName": "f"})]
    assert probe("lambda.configure", name="f", memory=256)["FunctionName"] == "f"
    assert len(server.requests) == 3


def test_waiting_ends_with_the_reason_of_a_failure(probe: Probe, server: Recorder) -> None:
    server.answers = [js({"State": "Pending"}), js({"State": "Failed", "StateReason": "no image", "StateReasonCode": "ImageAccessDenied"})]
    error = refusal(probe, "lambda.wait", name="f")
    assert error["text"] == "the function f cannot be made: no image (ImageAccessDenied)"


def test_a_permission_that_s3_does_not_see_yet_is_waited_for(probe: Probe, server: Recorder) -> None:
    empty, entry = b"<NotificationConfiguration/>", "<CloudFunctionConfiguration><Id>i</Id><CloudFunction>arn:f</CloudFunction><Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration>"
    server.answers = [
        (200, {}, empty),
        (400, {}, b"<Error><Code>InvalidArgument</Code><Message>Unable to validate the following destination configurations</Message></Error>"),
        (200, {}, b""),
        (200, {}, f"<NotificationConfiguration>{entry}</NotificationConfiguration>".encode()),
    ]
    assert probe("trigger.put", bucket="b", id="i", function="arn:f") is True
    assert [request["method"] for request in server.requests] == ["GET", "PUT", "PUT", "GET"]


# ---- notifications of others stay ----

OTHERS = (
    '<TopicConfiguration><Id>t</Id><Topic>arn:t</Topic><Event>s3:ObjectRemoved:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>a&amp;b &lt;c&gt;</Value></FilterRule></S3Key></Filter></TopicConfiguration>'
    "<QueueConfiguration><Id>q</Id><Queue>arn:q</Queue><Event>s3:ObjectCreated:Put</Event></QueueConfiguration>"
    "<CloudFunctionConfiguration><Id>theirs</Id><CloudFunction>arn:g</CloudFunction><Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration>"
    "<EventBridgeConfiguration></EventBridgeConfiguration>"
)


class Bucket:
    """A bucket's notifications: PUT replaces, GET gives back."""

    def __init__(self, inside: str) -> None:
        self.document = f'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inside}</NotificationConfiguration>'.encode()
        self.puts = 0

    def __call__(self, request: dict) -> tuple:
        if request["method"] == "PUT":
            self.puts += 1
            self.document = request["body"]
            return (200, {}, b"")
        return (200, {}, self.document)


def test_notifications_of_others_are_sent_back_as_they_came(probe: Probe, server: Recorder) -> None:
    bucket = Bucket(OTHERS)
    server.fallback = bucket
    ours = {"bucket": "b", "id": "ours", "function": "arn:f", "prefix": "in/"}
    assert probe("trigger.put", **ours) is True
    assert probe("trigger.put", **ours) is False
    assert bucket.puts == 1
    assert OTHERS in bucket.document.decode()
    assert [trigger["id"] for trigger in probe("trigger.list", bucket="b")] == ["theirs", "ours"]
    assert probe("trigger.put", **ours | {"prefix": "other/"}) is True
    assert b"in/" not in bucket.document
    assert probe("trigger.delete", bucket="b", id="ours", function="arn:f") is True
    assert probe("trigger.delete", bucket="b", id="ours", function="arn:f") is False
    assert bucket.document.decode() == Bucket(OTHERS).document.decode()


def test_somebody_who_overwrites_ours_is_noticed(probe: Probe, server: Recorder) -> None:
    server.fallback = lambda request: (200, {}, b"<NotificationConfiguration/>")
    error = refusal(probe, "trigger.put", bucket="b", id="i", function="arn:f")
    assert "somebody else" in error["text"]


# ---- objects ----


def test_a_download_that_breaks_off_goes_on_where_it_ended(probe: Probe, server: Recorder, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    server.answers = [
        (200, {"ETag": '"e1"', "Content-Length": str(len(content))}, content[:100_000]),
        lambda request: (206, {"ETag": '"e1"'}, content[int(request["headers"]["range"][6:-1]) :]),
    ]
    probe("object.get", bucket="b", key="k", file=str(tmp_path / "k"))
    assert (tmp_path / "k").read_bytes() == content
    assert server.requests[1]["headers"]["if-match"] == '"e1"'


def test_large_files_go_in_parts_and_are_given_up_on_failure(probe: Probe, server: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    begun = (200, {}, b"<InitiateMultipartUploadResult><UploadId>u/1+=</UploadId></InitiateMultipartUploadResult>")
    part = (200, {"ETag": '"p&lt;"'}, b"")
    server.answers = [begun, part, part, part, (200, {}, b"<CompleteMultipartUploadResult/>")]
    probe("object.put", bucket="b", key="k", file=str(path))
    asked = server.take()
    assert [request["method"] for request in asked] == ["POST", "PUT", "PUT", "PUT", "POST"]
    assert [parse_qs(request["query"]).get("partNumber") for request in asked[1:4]] == [["1"], ["2"], ["3"]]
    assert parse_qs(asked[4]["query"])["uploadId"] == ["u/1+="]
    assert sum(len(request["body"]) for request in asked[1:4]) == 65 << 20
    sums = [base64.b64encode(hashlib.sha256(request["body"]).digest()).decode() for request in asked[1:4]]
    assert [request["headers"]["x-amz-checksum-sha256"] for request in asked[1:4]] == sums
    assert re.findall(r"<ChecksumSHA256>(.*?)</ChecksumSHA256>", asked[4]["body"].decode()) == sums
    server.answers = [begun, part, s3_fail(403, "AccessDenied"), (204, {}, b"")]
    assert refusal(probe, "object.put", bucket="b", key="k", file=str(path))["code"] == "AccessDenied"
    assert [request["method"] for request in server.take()] == ["POST", "PUT", "PUT", "DELETE"]


def test_an_interrupted_upload_leaves_no_parts(program: Path, server: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(65 << 20)

    def answer(request: dict) -> tuple:
        if request["method"] == "PUT":
            probe.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        return (200, {"ETag": '"e"'}, b"<R><UploadId>u</UploadId></R>" if request["method"] == "POST" else b"")

    server.fallback = answer
    with Probe(program, "--region", REGION, "--endpoint-url", server.url) as probe:
        assert refusal(probe, "object.put", bucket="b", key="k", file=str(path))["kind"] == "interrupted"
    assert server.requests[-1]["method"] == "DELETE"


def test_an_error_within_a_success_is_an_error(probe: Probe, server: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(65 << 20)
    begun, part = (200, {}, b"<R><UploadId>u</UploadId></R>"), (200, {"ETag": '"e"'}, b"")
    late = (200, {}, b"<Error><Code>InternalError</Code><Message>m</Message></Error>")
    server.answers = [begun, part, part, part, late, (200, {}, b"<CompleteMultipartUploadResult/>")]
    probe("object.put", bucket="b", key="k", file=str(path))
    assert [request["method"] for request in server.take()][-2:] == ["POST", "POST"]


@pytest.mark.parametrize("key", ["in/../../evil", "/etc/passwd", "in//x", "in/./x", ".."])
def test_keys_that_lead_elsewhere_are_refused(probe: Probe, server: Recorder, tmp_path: Path, key: str) -> None:
    server.answers = [(200, {}, f"<ListBucketResult><Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>".encode())]
    assert "below" in refusal(probe, "tree.get", bucket="b", path=str(tmp_path / "out"))["text"]
    assert len(server.requests) == 1 and not (tmp_path / "out").exists()


def test_objects_that_could_not_be_deleted_are_told(probe: Probe, server: Recorder) -> None:
    server.answers = [
        (200, {}, b"<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%20b%2B</Key><Size>1</Size></Contents></ListBucketResult>"),
        (200, {}, b"<DeleteResult><Error><Key>a b+</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"),
    ]
    error = refusal(probe, "prefix.delete", bucket="b")
    assert error["kind"] == "auth" and "a b+" in error["text"]
    assert b"<Key>a b+</Key>" in server.requests[1]["body"]
    digest = base64.b64decode(server.requests[1]["headers"]["x-amz-checksum-sha256"]).hex()
    assert digest == server.requests[1]["headers"]["x-amz-content-sha256"]


# ---- streams ----


def frame(payload: bytes, event: str = "", kind: str = "event", **more: str) -> bytes:
    words = {":message-type": kind} if kind else {}
    words |= {":event-type": event} if event else {}
    words |= {f":{name.replace('_', '-')}": value for name, value in more.items()}
    headers = b"".join(struct.pack("!B", len(name)) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode() for name, value in words.items())
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))


def stream(*frames: bytes) -> tuple:
    return (200, {"Content-Type": "application/vnd.amazon.eventstream"}, b"".join(frames))


def test_a_streamed_answer_arrives_whole(probe: Probe, server: Recorder) -> None:
    end = json.dumps({"LogResult": base64.b64encode(b"END RequestId").decode()}).encode()
    server.answers = [stream(frame(b"hello ", "PayloadChunk"), frame(b"later kind", "SomethingNew"), frame(b"world", "PayloadChunk", kind=""), frame(end, "InvokeComplete"))]
    found = probe("invoke", name="f", stream=True, log=True)
    assert (found["stream"], found["log"], found.get("error")) == ("hello world", "END RequestId", None)


def test_a_stream_that_fails_says_how(probe: Probe, server: Recorder) -> None:
    end = json.dumps({"ErrorCode": "Runtime.ExitError", "ErrorDetails": "exit status 3"}).encode()
    server.answers = [stream(frame(b"begun", "PayloadChunk"), frame(end, "InvokeComplete"))]
    found = probe("invoke", name="f", stream=True)
    assert (found["stream"], found["error"]) == ("begun", "Unhandled")
    assert json.loads(found["payload"]) == {"errorType": "Runtime.ExitError", "errorMessage": "exit status 3"}


@pytest.mark.parametrize("broken", ["cut", "checksum", "no-end", "exception", "error"])
def test_a_broken_stream_is_an_error(probe: Probe, server: Recorder, broken: str) -> None:
    whole, end = frame(b"hello", "PayloadChunk"), frame(b"{}", "InvokeComplete")
    server.answers = [
        {
            "cut": stream(whole, end[:-3]),
            "checksum": stream(whole[:-1] + b"\x00", end),
            "no-end": stream(whole),
            "exception": stream(whole, frame(b'{"message": "no"}', kind="exception", exception_type="ServiceException")),
            "error": stream(whole, frame(b"", kind="error", error_code="500", error_message="gone")),
        }[broken]
    ]
    error = refusal(probe, "invoke", name="f", stream=True)
    assert error["kind"] in ("network", "integrity", "unavailable")
    assert len(server.requests) == 1


# ---- logs ----


def event(number: int, when: int, text: str) -> dict:
    return {"logStreamName": "s", "timestamp": when, "message": text, "eventId": str(number)}


def test_followed_events_come_once_and_late_ones_too(probe: Probe, server: Recorder) -> None:
    server.answers = [
        fail(400, "ResourceNotFoundException"),
        js({"events": [event(1, 20_000, "one")]}),
        js({"events": [event(1, 20_000, "one"), event(2, 15_000, "late")], "nextToken": "t"}),
        js({"events": [event(3, 21_000, "the end")]}),
    ]
    found = probe("logs.read", group="/g", follow=True, since=1)
    assert [message for _, _, message in found] == ["one", "late", "the end"]
    assert json.loads(server.requests[2]["body"])["startTime"] == 10_000


# ---- credentials ----


def asked_by(request: dict) -> str:
    return re.search(r"Credential=([^/]*)/", request["headers"]["authorization"])[1]


def home(folder: Path, config: str = "", credentials: str = "") -> Path:
    (folder / ".aws").mkdir(exist_ok=True)
    (folder / ".aws/config").write_text(config)
    (folder / ".aws/credentials").write_text(credentials)
    return folder


def keys_of(program: Path, folder: Path, *words: str, **environment: str) -> dict:
    with Probe(program, *words, environment=environment, home=folder) as probe:
        return probe("credentials")


def test_the_environment_comes_before_a_profile_unless_that_is_said(program: Path, tmp_path: Path) -> None:
    home(tmp_path, "[profile work]\nregion = eu-north-1\n", "[default]\naws_access_key_id=DEF\naws_secret_access_key=s\n[work]\naws_access_key_id = WRK\naws_secret_access_key = s=s\naws_session_token = t\n")
    assert keys_of(program, tmp_path)["id"] == "DEF"
    found = keys_of(program, tmp_path, AWS_PROFILE="work")
    assert (found["id"], found["secret"], found["token"], found["region"], found["source"]) == ("WRK", "s=s", "t", "eu-north-1", 'profile "work"')
    assert keys_of(program, tmp_path, AWS_PROFILE="work", AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="s")["id"] == "ENV"
    assert keys_of(program, tmp_path, "--profile", "work", AWS_ACCESS_KEY_ID="ENV", AWS_SECRET_ACCESS_KEY="s")["id"] == "WRK"


def test_a_profile_that_does_not_exist_is_named(program: Path, tmp_path: Path) -> None:
    with Probe(program, "--profile", "nobody", environment={}, home=home(tmp_path)) as probe:
        assert probe.process.wait(10) == 1
    assert 'no profile "nobody"' in probe.errors


def test_a_broken_file_is_named_with_its_line(program: Path, tmp_path: Path) -> None:
    with Probe(program, environment={}, home=home(tmp_path, credentials=f"[default]\n\n{SECRET}\n")) as probe:
        assert probe.process.wait(10) == 1
    assert ".aws/credentials, line 3" in probe.errors and SECRET not in probe.errors


STS = (
    "<{0}Response><{0}Result><Credentials><AccessKeyId>ASSUMED{1}</AccessKeyId><SecretAccessKey>" + SECRET + "</SecretAccessKey><SessionToken>" + TOKEN + "</SessionToken>"
    "<Expiration>{2}</Expiration></Credentials></{0}Result></{0}Response>"
)


def assumed(operation: str, number: int = 1, seconds: int = 3600) -> tuple:
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return (200, {}, STS.format(operation, number, until.strftime("%Y-%m-%dT%H:%M:%SZ")).encode())


def test_roles_are_assumed_one_from_the_other(program: Path, server: Recorder, tmp_path: Path) -> None:
    config = "[profile a]\nrole_arn=arn:aws:iam::1:role/a\nsource_profile=b\nexternal_id=x y\nduration_seconds=900\nregion=eu-west-1\n[profile b]\nrole_arn=arn:aws:iam::1:role/b\nsource_profile=c\nrole_session_name=me\n[profile c]\naws_access_key_id=FIRST\naws_secret_access_key=s\n"
    server.answers = [assumed("AssumeRole", 1), assumed("AssumeRole", 2)]
    found = keys_of(program, home(tmp_path, config), "--profile", "a", "--endpoint-url", server.url)
    assert (found["id"], found["secret"], found["token"]) == ("ASSUMED2", SECRET, TOKEN)
    first, second = server.requests
    assert (asked_by(first), asked_by(second)) == ("FIRST", "ASSUMED1")
    assert parse_qs(first["body"].decode())["RoleSessionName"] == ["me"]
    form = parse_qs(second["body"].decode())
    assert (form["RoleArn"], form["ExternalId"], form["DurationSeconds"]) == (["arn:aws:iam::1:role/a"], ["x y"], ["900"])
    assert second["headers"]["x-amz-security-token"] == TOKEN


def test_profiles_in_a_circle_are_refused(program: Path, server: Recorder, tmp_path: Path) -> None:
    config = "[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n"
    with Probe(program, "--profile", "a", "--region", REGION, "--endpoint-url", server.url, environment={}, home=home(tmp_path, config)) as probe:
        assert "circle" in refusal(probe, "credentials")["text"]
    assert not server.requests


def test_a_role_may_take_its_first_keys_from_the_environment(program: Path, server: Recorder, tmp_path: Path) -> None:
    server.answers = [assumed("AssumeRole")]
    found = keys_of(program, home(tmp_path, "[profile a]\nrole_arn=r\ncredential_source=Environment\n"), "--profile", "a", "--endpoint-url", server.url, **KEYS)
    assert found["id"] == "ASSUMED1" and asked_by(server.requests[0]) == KEYS["AWS_ACCESS_KEY_ID"]


def test_a_web_identity_is_exchanged_without_a_signature(program: Path, server: Recorder, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("JWT.x.y\n")
    server.answers = [assumed("AssumeRoleWithWebIdentity")]
    found = keys_of(program, home(tmp_path), "--endpoint-url", server.url, AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"), AWS_ROLE_ARN="arn:r", AWS_ROLE_SESSION_NAME="ci")
    assert found["id"] == "ASSUMED1"
    form = parse_qs(server.requests[0]["body"].decode())
    assert (form["WebIdentityToken"], form["RoleSessionName"]) == (["JWT.x.y"], ["ci"])
    assert "authorization" not in server.requests[0]["headers"]


def test_credentials_are_renewed_before_they_end(program: Path, server: Recorder, tmp_path: Path) -> None:
    server.answers = [assumed("AssumeRole", 1, seconds=100), js({}), assumed("AssumeRole", 2), js({}), js({})]
    config = home(tmp_path, "[profile a]\nrole_arn=r\ncredential_source=Environment\nregion=eu-west-1\n")
    with Probe(program, "--profile", "a", "--endpoint-url", server.url, environment=KEYS, home=config) as probe:
        for _ in range(3):
            probe("lambda.get", name="f")
    assert [asked_by(request) for request in server.requests] == [KEYS["AWS_ACCESS_KEY_ID"], "ASSUMED1", KEYS["AWS_ACCESS_KEY_ID"], "ASSUMED2", "ASSUMED2"]


def test_credentials_that_aws_calls_expired_are_got_anew(program: Path, server: Recorder, tmp_path: Path) -> None:
    server.answers = [assumed("AssumeRole", 1), fail(403, "ExpiredTokenException"), assumed("AssumeRole", 2), js({})]
    config = home(tmp_path, "[profile a]\nrole_arn=r\ncredential_source=Environment\nregion=eu-west-1\n")
    with Probe(program, "--profile", "a", "--endpoint-url", server.url, environment=KEYS, home=config) as probe:
        probe("lambda.get", name="f")
    assert asked_by(server.requests[-1]) == "ASSUMED2"


def test_a_program_may_give_credentials(program: Path, tmp_path: Path) -> None:
    script = tmp_path / "my helper"
    script.write_text('#!/bin/sh\n[ "$1" = "a b" ] && [ "$2" = \'c"d\' ] || exit 9\necho \'{"Version": 1, "AccessKeyId": "PROC", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2099-01-01T00:00:00+00:00"}\'\n')
    script.chmod(0o755)
    found = keys_of(program, home(tmp_path, f"[default]\ncredential_process = \"{script}\" \"a b\" c\\\"d\n"))
    assert (found["id"], found["expires_ms"]) == ("PROC", 4070908800000)


@pytest.mark.parametrize("output,says", [("exit 7", "status 7"), ("echo '{'", "JSON"), ("echo '{\"Version\": 2}'", "Version"), (f"echo '{{\"Version\": 1, \"AccessKeyId\": \"{SECRET}\"}}'", "secret access key")])
def test_a_program_that_fails_is_told_without_its_output(program: Path, tmp_path: Path, output: str, says: str) -> None:
    script = tmp_path / "helper"
    script.write_text(f"#!/bin/sh\n{output}\n")
    script.chmod(0o755)
    with Probe(program, "--region", REGION, environment={}, home=home(tmp_path, f"[default]\ncredential_process = {script}\n")) as probe:
        text = refusal(probe, "credentials")["text"]
    assert says in text and SECRET not in text


def test_a_container_gives_credentials(program: Path, server: Recorder, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer x\n")
    server.answers = [(503, {}, b""), js({"AccessKeyId": "CONT", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"})]
    found = keys_of(program, home(tmp_path), AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{server.url}/creds?x=1", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"))
    assert (found["id"], found["token"]) == ("CONT", "t")
    assert server.requests[1]["headers"]["authorization"] == "Bearer x" and server.requests[1]["query"] == "x=1"


def test_a_containers_token_goes_nowhere_in_plain_text(program: Path, tmp_path: Path) -> None:
    with Probe(program, environment={"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.org/creds", "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}, home=home(tmp_path)) as probe:
        text = refusal(probe, "credentials")["text"]
    assert "http://" in text and TOKEN not in text


def test_a_machine_gives_credentials_by_imdsv2(program: Path, server: Recorder, tmp_path: Path) -> None:
    server.answers = [(200, {}, b"IMDSTOKEN"), (200, {}, b"my-role\n"), js({"Code": "Success", "AccessKeyId": "IMDS", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"})]
    found = keys_of(program, home(tmp_path), AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=server.url)
    assert found["id"] == "IMDS"
    token, roles, role = server.requests
    assert (token["method"], token["path"], token["headers"]["x-aws-ec2-metadata-token-ttl-seconds"]) == ("PUT", "/latest/api/token", "21600")
    assert (role["path"], role["headers"]["x-aws-ec2-metadata-token"]) == ("/latest/meta-data/iam/security-credentials/my-role", "IMDSTOKEN")


def test_none_at_all_tells_where_was_looked(program: Path, tmp_path: Path) -> None:
    with Probe(program, environment={}, home=home(tmp_path)) as probe:
        error = refusal(probe, "credentials")
    assert error["kind"] == "auth" and "AWS_ACCESS_KEY_ID" in error["text"] and "~/.aws/config" in error["text"]


def test_endpoints_are_taken_in_their_order(program: Path, server: Recorder, tmp_path: Path) -> None:
    config = f"[default]\nregion = eu-west-1\nservices = dev\nendpoint_url = http://127.0.0.1:1\n[services dev]\nlambda =\n  endpoint_url = {server.url}/services\n  other = x\n"
    folder, base = home(tmp_path, config), KEYS | {"AWS_MAX_ATTEMPTS": "1"}

    def path(*words: str, **more: str) -> str:
        with Probe(program, *words, environment=base | more, home=folder) as probe:
            try:
                probe("lambda.list")
            except Refused:
                pass
        taken = server.take()
        return taken[0]["path"].split("/")[1] if taken else ""

    assert path() == "services"
    assert path(AWS_ENDPOINT_URL=f"{server.url}/all") == "all"
    assert path(AWS_ENDPOINT_URL=f"{server.url}/all", AWS_ENDPOINT_URL_LAMBDA=f"{server.url}/own/") == "own"
    assert path("--endpoint-url", f"{server.url}/said", AWS_ENDPOINT_URL_LAMBDA=f"{server.url}/own") == "said"


def test_no_secret_is_ever_logged_or_told(program: Path, server: Recorder, tmp_path: Path) -> None:
    echo = f"The Canonical String for this request should have been\n'POST\nx-amz-security-token:{TOKEN}'"
    server.answers = [assumed("AssumeRole"), fail(403, "SignatureDoesNotMatch", f"We do not match.\n{echo}"), fail(403, "InvalidSignatureException", echo.replace("The", "x\nThe")), (500, {}, b""), (500, {}, b""), (500, {}, b"")]
    config = home(tmp_path, "[profile a]\nrole_arn=r\ncredential_source=Environment\nregion=eu-west-1\n")
    with Probe(program, "--profile", "a", "--endpoint-url", server.url, "--log", "trace", environment=KEYS | {"AWS_SECRET_ACCESS_KEY": SECRET[::-1]}, home=config) as probe:
        told = [refusal(probe, "lambda.get", name="f") for _ in range(3)]
    everything = json.dumps(told) + probe.errors
    assert "aws lambda GetFunction: attempt 1: HTTP 403 SignatureDoesNotMatch" in probe.errors
    for secret in (SECRET, SECRET[::-1], TOKEN, "AWS4-HMAC", "Signature="):
        assert secret not in everything
    assert told[0]["message"] == "We do not match."
