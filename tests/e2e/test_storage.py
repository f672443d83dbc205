# SPDX-License-Identifier: Apache-2.0
"""Files come from storage to a function in the jail, and its results go back: S3, WebDAV and Onedata, as SCAR's function definition says."""

import base64
import hashlib
import io
import json
import re
import urllib.request
import zipfile
from collections.abc import Iterator

import pytest

from tests.support.lambda_local import LocalLambda
from tests.support.storage_servers import ACCESS_KEY, LOGIN, PASSWORD, SECRET_KEY, TOKEN, Cdmi, Rucio, S3, WebDav

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with S3() as server:
        server.client().create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield server


def function(image: str, script: str, definition: dict, **env: str) -> LocalLambda:
    fdl = base64.b64encode(json.dumps(definition).encode()).decode()
    settings = {"SCAR_SCRIPT": base64.b64encode(script.encode()).decode(), "FDL": fdl} | env
    return LocalLambda(image, env=settings, tmp_size_mb=900)


def s3_event(key: str, source: str = "aws:s3", bucket: str = "data") -> dict:
    record = {"eventSource": source, "eventName": "ObjectCreated:Put", "eventTime": "2024-01-01T00:00:00.000Z"}
    return {"Records": [record | {"s3": {"bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": {"key": key}}}]}


def keys_of(client, prefix: str) -> list[str]:
    return sorted(entry["Key"] for entry in client.list_objects_v2(Bucket="data", Prefix=prefix).get("Contents", []))


def test_a_file_comes_from_s3_and_the_results_go_there(pushed, s3):
    client = s3.client()
    content = bytes(range(256)) * 999
    client.put_object(Bucket="data", Key="in/a bü+c.bin", Body=content)
    script = """
        set -e
        echo $INPUT_FILE_PATH; sha256sum <"$INPUT_FILE_PATH"
        cd $TMP_OUTPUT_DIR; mkdir -p deep/er
        cp "$INPUT_FILE_PATH" deep/er/copy.jpg; echo hi >note.txt; : >empty; echo no >other.dat; ln -s /etc/passwd link.txt
    """
    definition = {
        "name": "f",
        "output": [
            {"storage_provider": "s3", "path": "data/out/"},
            {"storage_provider": "minio.mine", "path": "/data/texts", "suffix": ["txt", "md"]},
            {"storage_provider": "s3.default", "path": "data/deep", "prefix": ["deep/"], "suffix": "jpg"},
        ],
        "storage_providers": {"minio": {"mine": {"endpoint": s3.url, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": "eu-west-1"}}},
    }
    with function(pushed("busybox"), script, definition, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        answer = running.invoke(s3_event("in/a+b%C3%BC%2Bc.bin"))
        assert not answer.function_error, answer.text + running.log()
    path, digest = answer.text.splitlines()
    assert path.startswith("/tmp/scar/input/") and path.endswith(".bin")
    assert digest.split()[0] == hashlib.sha256(content).hexdigest()
    assert keys_of(client, "out/") == ["out/deep/er/copy.jpg", "out/empty", "out/note.txt", "out/other.dat"]
    assert keys_of(client, "texts/") == ["texts/note.txt"]
    assert keys_of(client, "deep/") == ["deep/deep/er/copy.jpg"]
    copy = client.get_object(Bucket="data", Key="out/deep/er/copy.jpg")
    assert (copy["ContentType"], copy["Body"].read()) == ("image/jpeg", content)
    assert client.get_object(Bucket="data", Key="out/empty")["Body"].read() == b""


def test_large_files_go_in_parts(pushed, s3):
    client = s3.client()
    script = "head -c 100000000 /dev/zero | tr '\\000' 'x' >$TMP_OUTPUT_DIR/big.txt"
    with function(pushed("busybox"), script, {"output": [{"path": "data/large"}]}, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        answer = running.invoke({})
        assert not answer.function_error, answer.text + running.log()
    found = client.head_object(Bucket="data", Key="large/big.txt")
    assert (found["ContentLength"], found["ContentType"]) == (100_000_000, "text/plain")
    assert found["ETag"].strip('"').endswith("-3")
    assert hashlib.sha256(client.get_object(Bucket="data", Key="large/big.txt")["Body"].read()).digest() == hashlib.sha256(b"x" * 100_000_000).digest()
    assert "Uploads" not in client.list_multipart_uploads(Bucket="data")


LARGE = "head -c 9000000 /dev/zero | tr '\\000' 'y'; echo end"
LARGE_SHA256 = hashlib.sha256(b"y" * 9_000_000 + b"end\n").hexdigest()


def sha256_of(client, path: str) -> str:
    bucket, key = path.split("/", 1)
    return hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest()


def test_an_answer_that_no_response_holds_goes_to_the_first_output(pushed, s3):
    """Its suffix is for the program's files; twice, as the next invocation must find nothing of the one before."""
    client = s3.client()
    outputs = {"output": [{"path": "data/answers", "suffix": "png"}, {"path": "data/unused"}]}
    with function(pushed("busybox"), LARGE, outputs, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        places = []
        for _ in range(2):
            answer = running.invoke({})
            assert not answer.function_error, answer.text + running.log()
            places.append(json.loads(answer.text)["output"])
    for place in places:
        assert (place["storage"], place["bytes"], place["contentType"]) == ("s3.default", 9_000_004, "text/plain; charset=utf-8")
        assert place["path"].startswith("data/answers/")
        assert sha256_of(client, place["path"]) == LARGE_SHA256
        assert client.head_object(Bucket="data", Key=place["path"].removeprefix("data/"))["ContentType"] == "text/plain; charset=utf-8"
    assert places[0]["path"] != places[1]["path"]
    assert keys_of(client, "unused/") == []


def test_an_answer_over_http_that_base64_makes_too_large_goes_there_too(pushed, s3):
    event = {"version": "2.0", "routeKey": "$default", "rawPath": "/", "headers": {}, "requestContext": {"http": {"method": "GET", "path": "/"}}, "isBase64Encoded": False}
    script = "head -c 5000000 /dev/zero"
    with function(pushed("busybox"), script, {"output": [{"path": "data/http"}]}, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        document = json.loads(running.invoke(event).text)
    assert (document["statusCode"], document["headers"]["content-type"]) == (200, "application/json")
    body = base64.b64decode(document["body"]) if document["isBase64Encoded"] else document["body"]
    place = json.loads(body)["output"]
    assert (place["bytes"], place["contentType"]) == (5_000_000, "application/octet-stream")
    assert sha256_of(s3.client(), place["path"]) == hashlib.sha256(bytes(5_000_000)).hexdigest()


# Three files of 4 MB that do not compress, and more on standard output than an answer holds.
FILES = "cd $TMP_OUTPUT_DIR; for f in $(cat); do head -c 4000000 /dev/urandom >$f; sha256sum $f >&2; done; yes | head -c 7000000"


def digests(log: str) -> dict[str, str]:
    return {name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  (\w+)$", log, re.MULTILINE)}


def test_files_that_no_answer_holds_go_to_the_first_output(pushed, s3):
    client = s3.client()
    outputs = {"output": [{"path": "data/large", "suffix": "none"}]}
    with function(pushed("busybox"), FILES, outputs, AWS_ENDPOINT_URL_S3=s3.url, SCAR_OUTPUT="files", **KEYS) as running:
        for names in ("a b c", "a"):
            answer = running.invoke(raw=json.dumps(names).encode(), tail=True)
            assert not answer.function_error, answer.text + running.log()
            # One file is small enough to be the answer, whatever was printed.
            if names == "a":
                assert hashlib.sha256(answer.body).hexdigest() == digests(answer.log)["a"]
                continue
            place = json.loads(answer.text)["output"]
            assert place["contentType"] == "application/zip" and place["bytes"] > 12_000_000
            body = client.get_object(Bucket="data", Key=place["path"].removeprefix("data/"))["Body"].read()
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                assert archive.testzip() is None
                assert {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()} == digests(answer.log)
    with function(pushed("busybox"), FILES.replace("4000000", "7000000"), outputs, AWS_ENDPOINT_URL_S3=s3.url, SCAR_OUTPUT="files", **KEYS) as running:
        answer = running.invoke(raw=b'"one"', tail=True)
        place = json.loads(answer.text)["output"]
        assert (place["bytes"], place["contentType"]) == (7_000_000, "application/octet-stream")
        assert sha256_of(client, place["path"]) == digests(answer.log)["one"]
    with function(pushed("busybox"), FILES, {}, SCAR_OUTPUT="zip") as running:
        document = running.invoke(raw=b'"a b"').document()
        assert document["errorType"] == "Function.ResponseSizeTooLarge" and "output" in document["errorMessage"]


def test_a_large_archive_is_streamed_where_answers_are(pushed):
    with function(pushed("busybox"), FILES, {}, SCAR_OUTPUT="zip", SCAR_RESPONSE_MODE="streaming") as running:
        with urllib.request.urlopen(running.url, b"a b c", timeout=60) as answer:
            assert answer.headers["content-type"] == "application/zip"
            body = answer.read()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            assert archive.testzip() is None and archive.namelist() == ["a", "b", "c"]
            assert set(digests(running.log()).values()) == {hashlib.sha256(archive.read(name)).hexdigest() for name in "abc"}


def test_a_large_answer_of_a_program_that_fails_is_not_delivered(pushed, s3):
    with function(pushed("busybox"), LARGE + "; exit 3", {"output": [{"path": "data/none"}]}, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        document = running.invoke({}).document()
    assert (document["exitCode"], document["stdoutTruncated"]) == (3, True)
    assert base64.b64decode(document["stdout"]) == b"y" * 262_144
    assert keys_of(s3.client(), "none/") == []


def test_a_large_answer_that_cannot_be_delivered_is_an_error(pushed, s3):
    with function(pushed("busybox"), LARGE, {"output": [{"path": "no-such-bucket/x"}]}, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        document = running.invoke({}).document()
        assert "cannot deliver the output" in document["errorMessage"]
        assert "no-such-bucket" in document["errorMessage"]
    with function(pushed("busybox"), LARGE, {}) as running:
        document = running.invoke({}).document()
        assert document["errorType"] == "Function.ResponseSizeTooLarge"
        assert "SCAR_RESPONSE_MODE=streaming" in document["errorMessage"]


def test_a_program_that_fails_delivers_nothing(pushed, s3):
    script = "echo half >$TMP_OUTPUT_DIR/half.txt; exit 3"
    with function(pushed("busybox"), script, {"output": [{"path": "data/failed"}]}, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        assert running.invoke({}).document()["exitCode"] == 3
    assert keys_of(s3.client(), "failed/") == []


def test_what_was_written_before_the_time_ran_out_is_kept(pushed, s3):
    """SCAR's supervisor uploads on a time-out too, but answers 200: ours is an error, and no process goes on."""
    script = "echo early >$TMP_OUTPUT_DIR/early.txt; sleep 60"
    env = {"AWS_ENDPOINT_URL_S3": s3.url, "SCAR_TIMEOUT_THRESHOLD": "2000"} | KEYS
    fdl = base64.b64encode(json.dumps({"output": [{"path": "data/late"}]}).encode()).decode()
    settings = {"SCAR_SCRIPT": base64.b64encode(script.encode()).decode(), "FDL": fdl} | env
    with LocalLambda(pushed("busybox"), env=settings, timeout_s=5) as running:
        assert running.invoke({}).document()["errorType"] == "Function.Timeout"
    assert keys_of(s3.client(), "late/") == ["late/early.txt"]


@pytest.mark.parametrize(("event", "says"), [(s3_event("in/none"), "404"), (s3_event("x", bucket="no-such-bucket"), "404"), (s3_event("x", "minio:s3"), "minio")])
def test_an_input_that_cannot_be_had_is_an_error_before_the_program_starts(pushed, s3, event, says):
    with function(pushed("busybox"), "echo ran", {}, AWS_ENDPOINT_URL_S3=s3.url, **KEYS) as running:
        document = running.invoke(event).document()
    assert says in document["errorMessage"]
    assert "stdout" not in document
    assert SECRET_KEY not in json.dumps(document)


def test_webdav_gives_and_takes_files_whole(pushed):
    with WebDav() as server:
        definition = {
            "output": [{"storage_provider": "webdav.dav", "path": "results/of the/day"}],
            "storage_providers": {"webdav": {"dav": {"hostname": server.url, "login": LOGIN, "password": PASSWORD}}},
        }
        script = "mkdir $TMP_OUTPUT_DIR/sub; tr a-z A-Z <$INPUT_FILE_PATH >$TMP_OUTPUT_DIR/sub/upper.txt; head -c 3000000 /dev/zero >$TMP_OUTPUT_DIR/zeros"
        (server.root / "in put.txt").write_text("hello\n")
        event = {"event": {"name": "in put.txt", "mask": ["IN_CREATE"]}, "subscription": "https://dcache.example/api/v1/events/channels/x/subscriptions/inotify/AACvM"}
        with function(pushed("busybox"), script, definition) as running:
            for _ in range(2):
                answer = running.invoke(event)
                assert not answer.function_error, answer.text + running.log() + server.log()
        folder = server.root / "results/of the/day"
        assert (folder / "sub/upper.txt").read_text() == "HELLO\n"
        assert (folder / "zeros").stat().st_size == 3_000_000
        assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["upper.txt", "zeros"]
        # Never under its own name before it was whole.
        assert [line for line in server.log().splitlines() if '"PUT' in line and "scar-part" not in line] == []


def test_onedata_gives_and_takes_files_and_broken_transfers_go_on(pushed):
    with Cdmi() as server:
        content = bytes(range(256)) * 4096
        server.objects["my-space/files/in.bin"] = content
        server.cut_after = 400_000
        definition = {
            "output": [{"storage_provider": "onedata.one", "path": "results"}],
            "storage_providers": {"onedata": {"one": {"oneprovider_host": server.url, "token": TOKEN, "space": "my-space"}}},
        }
        record = {"objectKey": "in.bin", "objectId": "x", "eventTime": "2019-02-07T09:51:04.347823", "eventSource": "OneTrigger"}
        event = {"Key": "/my-space/files/in.bin", "Records": [record]}
        with function(pushed("busybox"), "cp $INPUT_FILE_PATH $TMP_OUTPUT_DIR/out.png", definition) as running:
            answer = running.invoke(event)
            assert not answer.function_error, answer.text + running.log()
        assert server.objects["my-space/results/out.png"] == content
        assert server.types["my-space/results/out.png"] == "image/png"
        assert [line for line in server.requests if line.startswith("GET")] == [
            "GET /cdmi/my-space/files/in.bin",
            "GET /cdmi/my-space/files/in.bin bytes=400000-",
            "GET /cdmi/my-space/files/in.bin bytes=800000-",
        ]


def rucio_definition(server: Rucio) -> dict:
    settings = {"host": server.url, "account": server.ACCOUNT, "rse": server.RSE, "refresh_token": server.REFRESH, "token_endpoint": f"{server.url}/oidc/token"}
    return {"output": [{"storage_provider": "rucio.lab", "path": "results"}], "storage_providers": {"rucio": {"lab": settings}}}


def rucio_event(scope: str, name: str) -> dict:
    return {"event_type": "close", "payload": {"scope": scope, "name": name}}


def test_rucio_gives_data_sets_and_takes_files(pushed):
    with Rucio() as server:
        server.add("user.bob:a/b.txt", b"one\n")
        server.add("user.bob:c.bin", bytes(range(256)) * 4096)
        server.datasets["user.bob:both"] = ["user.bob:a/b.txt", "user.bob:c.bin"]
        script = "cd $INPUT_FILE_PATH && ls && cat a__b.txt && mkdir $TMP_OUTPUT_DIR/sub && cp c.bin $TMP_OUTPUT_DIR/sub/c.bin"
        with function(pushed("busybox"), script, rucio_definition(server)) as running:
            for _ in range(2):  # the second finds its results there already
                answer = running.invoke(rucio_event("user.bob", "both"))
                assert not answer.function_error, answer.text + running.log()
                assert answer.text == "a__b.txt\nc.bin\none\n"
        assert server.stored["/alice/results__sub__c.bin"] == server.stored["/user.bob/c.bin"]
        assert server.replicas["alice:results__sub__c.bin"] == server.replicas["user.bob:c.bin"]
        assert [(rule["dids"], rule["rse_expression"], rule["copies"]) for rule in server.rules] == [([{"scope": "alice", "name": "results__sub__c.bin"}], "LAB_DISK", 1)]
        # One token for all of it.
        assert server.issued == 1
        assert server.requests.count("PUT /dav/alice/results__sub__c.bin") == 1


def test_a_file_of_rucio_must_be_what_the_catalogue_says(pushed):
    with Rucio() as server:
        server.add("user.bob:file.txt", b"one\n")
        server.add("user.bob:spoilt.txt", b"two\n")
        server.spoilt.add("/user.bob/spoilt.txt")
        server.add("alice:results__out.txt", b"something else")
        with function(pushed("busybox"), "cp $INPUT_FILE_PATH $TMP_OUTPUT_DIR/out.txt", rucio_definition(server)) as running:
            spoilt = running.invoke(rucio_event("user.bob", "spoilt.txt")).document()
            taken = running.invoke(rucio_event("user.bob", "file.txt")).document()
            missing = running.invoke(rucio_event("user.bob", "none")).document()
        assert spoilt["errorType"] == "Runtime.ImageIntegrity"
        assert "spoilt.txt is not what the catalogue says" in spoilt["errorMessage"]
        assert "alice:results__out.txt is in the catalogue with other content" in taken["errorMessage"]
        assert "user.bob:none has no files" in missing["errorMessage"]
        assert server.stored["/alice/results__out.txt"] == b"something else"
        assert server.rules == []


def test_a_wrong_definition_is_refused_with_its_line(pushed):
    text = "name: f\noutput:\n- storage_provider: minio.none\n  path: a/b\n"
    env = {"FDL": base64.b64encode(text.encode()).decode()}
    with LocalLambda(pushed("busybox"), env=env) as running:
        document = running.invoke({}).document()
    assert document["errorType"] == "Runtime.InvalidConfiguration" or "Config" in document["errorType"], document
    assert "FDL: line 3: storage_provider: names an account that storage_providers does not have" in document["errorMessage"]


def test_the_definition_sets_what_no_variable_sets(pushed):
    definition = {"container": {"environment": {"Variables": {"GREETING": "a=b=c", "NUMBER": 7}}}, "log_level": "WARNING"}
    with function(pushed("busybox"), "echo $GREETING $NUMBER", definition) as running:
        assert running.invoke({}).text == "a=b=c 7\n"
