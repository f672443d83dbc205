# SPDX-License-Identifier: Apache-2.0
"""Our AWS signatures against botocore's, request by request."""

import datetime
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import mock
from urllib.parse import quote

import pytest

from tests.support.images import run
from tests.support.places import ROOT, tool

botocore = pytest.importorskip("botocore", reason="botocore is not installed")
import botocore.auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

OBJECT = "build/obj/dbg/tests/support/probes/sigv4_probe.o"
ARCHIVE = "build/lib/dbg/libruntime-base.a"
REQUESTS = 6000
SEED = 20240229
NAMES = "abcXYZ019-._~ +%/:;=@&$,!'()*[]{}|\\^`\"<>#?äß日本\t"
SERVICES = ("s3", "lambda", "logs", "iam", "sts", "ecr", "batch", "apigateway", "execute-api", "dynamodb")


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("probe") / "sigv4_probe"
    run(tool("make"), "-s", "-C", ROOT, OBJECT, ARCHIVE)
    run(tool("gcc"), "-o", program, ROOT / OBJECT, ROOT / ARCHIVE, "-lcurl", "-lssl", "-lcrypto", "-lcjson", "-lpthread")
    return program


def word(rng: random.Random, most: int, alphabet: str = NAMES) -> str:
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(most + 1)))


def random_path(rng: random.Random) -> str:
    """Encoded as clients do, less so, or hardly at all, and with what has to be normalised."""
    safe = rng.choice(("", "~", "/~", ":@!$&'()*+,;=", ":"))
    parts = [rng.choice((quote(word(rng, 8), safe=safe), quote(word(rng, 8), safe=safe), "", ".", "..", "arn%3Aaws%3Alambda", "a//b")) for _ in range(rng.randrange(6))]
    return rng.choice(("", "/", "/" + "/".join(parts), "/" + "/".join(parts) + "/"))


def random_query(rng: random.Random) -> str:
    """Unsorted, repeated, without values, with empty names."""
    pairs = []
    for _ in range(rng.randrange(6)):
        name, value = quote(word(rng, 6), safe="~"), quote(word(rng, 6), safe=rng.choice(("~", "~/", "~=:")))
        pairs.append(rng.choice((f"{name}={value}", f"{name}={value}", name, f"{name}=", f"a={value}", "uploads", "list-type=2")))
    return rng.choice(("", "?")) if not pairs else "?" + "&".join(pairs)


def random_headers(rng: random.Random) -> list[list[str]]:
    names = ("Content-Type", "X-Amz-Target", "x-amz-acl", "User-Agent", "Expect", "X-Amzn-Trace-Id", "Range", "My-Header", "my-header", "A", "x-amz-meta-ä")
    found = []
    for _ in range(rng.randrange(6)):
        name = rng.choice(names[:-1])
        found.append([name, word(rng, 12, "abc XYZ  \t019/;=,\"") or "v"])
    return found


def random_request(rng: random.Random) -> dict:
    host = rng.choice(("bucket.s3.eu-west-1.amazonaws.com", "lambda.us-east-1.amazonaws.com", "127.0.0.1:9000", "localhost:80", "example.org:443", "Example.ORG", "[::1]:5000"))
    service = rng.choice(SERVICES)
    body = word(rng, 30)
    return {
        "method": rng.choice(("GET", "PUT", "POST", "DELETE", "HEAD")),
        # An empty path goes over the wire as "/", which botocore leaves to whoever makes an S3 request.
        "url": f"{rng.choice(('http', 'https'))}://{host}{random_path(rng) or ('/' if service == 's3' else '')}{random_query(rng)}",
        "headers": random_headers(rng),
        "body": body,
        "service": service,
        "region": rng.choice(("us-east-1", "eu-west-1", "cn-north-1")),
        "time": rng.randrange(1, 4_000_000_000),
        "id": word(rng, 20, "AKIDEXMPL0123456789") or "AKID",
        "secret": word(rng, 40, "abcDEF0123456789+/=") or "secret",
        "token": word(rng, 60, "abcDEF0123456789+/=") or None,
        "expires": 0,
    }


def theirs(request: dict) -> tuple[str, str]:
    """What botocore makes of the request: the digest that it signs, and the header or URL."""
    is_s3 = request["service"] == "s3"
    credentials = Credentials(request["id"], request["secret"], request["token"])
    when = datetime.datetime.fromtimestamp(request["time"], datetime.timezone.utc)
    aws = AWSRequest(method=request["method"], url=request["url"], data=request["body"].encode())
    for name, value in request["headers"]:
        aws.headers.add_header(name, value)
    if request["expires"]:
        kind = botocore.auth.S3SigV4QueryAuth if is_s3 else botocore.auth.SigV4QueryAuth
        signer = kind(credentials, request["service"], request["region"], expires=request["expires"])
    else:
        kind = botocore.auth.S3SigV4Auth if is_s3 else botocore.auth.SigV4Auth
        signer = kind(credentials, request["service"], request["region"])
    aws.context["payload_signing_enabled"] = True
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=when):
        signer.add_auth(aws)
    if request["expires"]:
        return "", aws.url
    payload = aws.headers.get("X-Amz-Content-SHA256") or signer.payload(aws)
    return payload, aws.headers["Authorization"]


def compare(probe: Path, requests: list[dict]) -> Iterator[tuple[dict, str, str]]:
    wanted = []
    for request in requests:
        request["payload"], text = theirs(request)
        wanted.append(text)
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([probe], input=lines.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    ours = done.stdout.decode().splitlines()
    assert len(ours) == len(requests)
    yield from zip(requests, ours, wanted)


def test_six_thousand_random_requests_are_signed_as_botocore_signs_them(probe: Path) -> None:
    rng = random.Random(SEED)
    requests = [random_request(rng) for _ in range(REQUESTS)]
    wrong = [(request, ours, wanted) for request, ours, wanted in compare(probe, requests) if ours != wanted]
    assert not wrong, f"{len(wrong)} of {REQUESTS} differ; the first: {wrong[0]}"
    assert sum(request["service"] == "s3" for request in requests) > 400


def test_signed_urls_are_those_of_botocore(probe: Path) -> None:
    rng = random.Random(SEED + 1)
    requests = []
    for _ in range(600):
        request = random_request(rng) | {"expires": rng.randrange(1, 604800), "body": "", "headers": []}
        # botocore rewrites a query that is not in its own form; a client that signs URLs gives one that is.
        names = rng.sample(("response-content-type", "versionId", "partNumber", "uploadId"), rng.randrange(4))
        request["url"] = request["url"].split("?")[0] + ("?" if names else "") + "&".join(f"{name}={quote(word(rng, 8), safe='-_.~')}" for name in names)
        requests.append(request)
    wrong = [(request, ours, wanted) for request, ours, wanted in compare(probe, requests) if ours != wanted]
    assert not wrong, f"{len(wrong)} differ; the first: {wrong[0]}"
