# SPDX-License-Identifier: Apache-2.0
"""What SCAR and its faas-supervisor do wrong, and what their users reported: tests/e2e/defects.md names for each the test that shows it absent here.
Those that belong to no other module are in this one; the first checks the list itself."""

import ast
import base64
import http.server
import json
import re
import threading
from functools import cache

import pytest

from tests.support import images, oci_layout
from tests.support.cloud import Cloud
from tests.support.lambda_local import LocalLambda
from tests.support.places import ROOT

LIST = ROOT / "tests/e2e/defects.md"
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LIST.read_text().splitlines() if re.match(r"\| [SDUCB]\d+ ", line)]


@cache
def names_in(path: str) -> set[str]:
    """The tests of a file, as its own runner would find them."""
    text = (ROOT / path).read_text()
    if path.endswith(".py"):
        # Not by pytest: it leaves out what this machine lacks the packages for.
        return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    # A test of cmocka is a function that main() has in its list.
    defined = set(re.findall(r"^static void (\w+)\(void \*\*state\)", text, re.MULTILINE))
    return {name for name in defined if len(re.findall(rf"\b{name}\b", text)) > 1}


def test_every_defect_has_tests_that_exist():
    assert len(ROWS) > 60 and len({row[0] for row in ROWS}) == len(ROWS), "each number once"
    for number, defect, tests in ROWS:
        named = re.findall(r"`([^`]+)`", tests)
        assert named, f"{number} ({defect}) names no test"
        for test in named:
            path, _, name = test.partition("::")
            assert (ROOT / path).is_file(), f"{number}: {path} does not exist"
            assert not name or name in names_in(path), f"{number}: {path} has no test {name}"
            assert name or not path.endswith((".py", ".c")), f"{number}: {test} names no test"


@pytest.fixture(scope="module")
def with_tmp(registry, tmp_path_factory) -> str:
    """An image that brings files in /tmp."""
    files = oci_layout.Layer().dir("tmp", 0o1777).file("tmp/model", b"weights\n").dir("tmp/deep", 0o777).file("tmp/deep/er", b"x\n")
    layout = tmp_path_factory.mktemp("with-tmp") / "layout"
    oci_layout.write(layout, oci_layout.Image([images.busybox_layer().tar(), files.tar()], {"Env": [images.PATH_ENV], "Cmd": ["/bin/sh"]}))
    return registry.push(layout, "defects/with-tmp")


@pytest.mark.parametrize("engine", ["rewrite", "ptrace", "native"])
def test_files_of_the_image_in_tmp_are_seen(with_tmp, engine):
    script = """
        cat /tmp/model /tmp/deep/er; ls /tmp/mine 2>&1 | wc -l
        ls /tmp; test -w /tmp && echo mine >/tmp/mine && mv /tmp/mine /tmp/deep/ && rm /tmp/model
        cp $INPUT_FILE_PATH $TMP_OUTPUT_DIR/copy && cmp $INPUT_FILE_PATH /tmp/scar/output/copy && cat $TMP_OUTPUT_DIR/copy
    """
    with LocalLambda(with_tmp, engine=engine, jail=engine == "rewrite") as function:
        for _ in range(2):
            # What an invocation changes there is gone at the next one, as everywhere in the image.
            lines = function.run("sh", "-c", script, stdin="").text.splitlines()
            assert lines[:2] == ["weights", "x"], lines
            assert {"model", "deep"} <= set(lines[3:-1]), lines
            assert "cmd_args" in lines[-1], lines


@pytest.fixture(scope="module")
def busybox(pushed):
    with LocalLambda(pushed("busybox"), env={"SCAR_ALLOW_EVENT_IMAGE": "1", "CONT_VAR_AWS_ACCESS_KEY_ID": "the user's", "AWS_ACCESS_KEY_ID": "the role's"}) as function:
        yield function


def test_an_image_is_not_taken_for_one_whose_name_it_is_part_of(busybox, registry, with_tmp):
    longer = registry.push(images.image("busybox"), "defects/with-tmp-not")
    assert longer.startswith(with_tmp.rpartition(":")[0])
    assert busybox.run("ls", "/tmp/model", image=longer).document()["exitCode"] == 1
    assert busybox.run("cat", "/tmp/model", image=with_tmp).text == "weights\n"


def test_the_program_knows_its_function_region_request_and_directories(busybox):
    script = "echo $AWS_REGION $AWS_LAMBDA_FUNCTION_NAME $AWS_LAMBDA_FUNCTION_MEMORY_SIZE $AWS_LAMBDA_REQUEST_ID $REQUEST_ID; ls -d $TMP_INPUT_DIR $TMP_OUTPUT_DIR"
    first, *folders = busybox.run("sh", "-c", script).text.splitlines()
    region, name, memory, request, again = first.split()
    assert (name, memory) == ("scar", "512") and region.count("-") >= 2
    assert re.fullmatch(r"[0-9a-f-]{36}", request) and request == again
    assert len(folders) == 2


def test_credentials_that_the_user_gives_the_program_win(busybox):
    assert busybox.run("sh", "-c", "echo $AWS_ACCESS_KEY_ID").text == "the user's\n"


def test_standard_error_is_not_part_of_the_answer(busybox):
    assert busybox.run("sh", "-c", "echo out; echo err >&2").body == b"out\n"


def test_a_script_runs_in_an_image_with_an_entrypoint(busybox, pushed):
    script = base64.b64encode(b'echo "script: $GREETING $*"').decode()
    assert busybox.run("one", image=pushed("configured"), script=script).text == "script: good day = fine one\n"


def test_an_event_of_s3_may_lack_its_time(pushed):
    event = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": "in/a.txt"}}}]}
    script = base64.b64encode(b"echo $STORAGE_OBJECT_KEY ${EVENT_TIME-none}").decode()
    with LocalLambda(pushed("busybox"), env={"SCAR_SCRIPT": script, "SCAR_DOWNLOAD_INPUT": "0"}) as function:
        assert function.invoke(event).text == "in/a.txt none\n"
        # Of Rucio, without what it tells of: nothing to fetch, and no end of the function.
        assert function.invoke({"event_type": "close", "scope": "user"}).text == "none\n"


def test_programs_behind_links_of_update_alternatives_start(pushed):
    with LocalLambda(pushed("debian"), tmp_size_mb=900) as function:
        assert function.run("awk", "BEGIN { print 1 + 1 }").text == "2\n"
        assert function.run("readlink", "/usr/bin/awk").text == "/etc/alternatives/awk\n"


def test_an_image_takes_its_unpacked_size_and_no_more(pushed):
    """SCAR keeps the layers beside the tree that it makes of them."""
    reference = pushed("debian")
    with LocalLambda(reference, tmp_size_mb=900) as function:
        function.run("true")
        pulled, unpacked = (int(number) for number in re.search(r": (\d+) bytes in \d+ ms, (\d+) bytes on disk", function.log()).groups())
    assert pulled > 8 << 20, "too small to tell"
    with LocalLambda(reference, tmp_size_mb=(unpacked + pulled // 2) >> 20) as function:
        assert function.run("echo", "fits").body == b"fits\n"


# ---- the command ----


@pytest.fixture(scope="module")
def cloud():
    with Cloud() as running:
        yield running


def sha_of(cloud: Cloud, name: str, *words: str) -> str:
    cloud.scar("init", "-n", name, "-i", "busybox", *words, "--no-layer", "--no-image-check")
    return cloud.of("lambda").get_function_configuration(FunctionName=name)["CodeSha256"]


def test_flags_that_scar_takes_and_forgets_have_their_effect(cloud, tmp_path):
    plain = sha_of(cloud, "flags")
    assert sha_of(cloud, "flags") == plain
    assert sha_of(cloud, "flags", "-tt", "20") != plain, "the definition in the package has the threshold"
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "file").write_text("x")
    assert sha_of(cloud, "flags", "-ep", str(tmp_path / "extra")) != plain
    assert cloud.of("lambda").get_function_configuration(FunctionName="flags")["Environment"]["Variables"]["EXTRA_PAYLOAD"]
    refused = cloud.scar("ls", "-pf", "nobody", status=None)
    assert refused.returncode != 0 and "nobody" in refused.stderr
    refused = cloud.scar("init", "-n", "other", "-i", "busybox", "-em", "slowly", status=2)
    assert "slowly" in refused.stderr


@pytest.mark.parametrize("words", [("-m", "64"), ("-t", "901"), ("-n", "a b")], ids=["memory", "timeout", "name"])
def test_limits_are_checked_before_anything_is_made(cloud, words):
    before = cloud.of("lambda").list_functions()["Functions"]
    done = cloud.scar("init", "-n", "limits", "-i", "busybox", *words, "--no-layer", "--no-image-check", status=None)
    assert done.returncode != 0 and words[1] in done.stderr
    assert cloud.of("lambda").list_functions()["Functions"] == before


class Urls(http.server.BaseHTTPRequestHandler):
    """As much of Lambda's API as says where a function's URL is."""

    url = ""

    def do_GET(self) -> None:
        body = json.dumps({"FunctionUrl": Urls.url} if self.path.endswith("/url") else {"FunctionName": "f"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def by_http(cloud, pushed):
    """Gives `scar invoke` a function that prints what it was sent."""
    script = base64.b64encode(b'echo "$REQUEST_METHOD $CONTENT_TYPE $QUERY_STRING"; cat').decode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Urls)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with LocalLambda(pushed("busybox"), env={"SCAR_SCRIPT": script}) as function:
        Urls.url = function.url + "/"
        yield lambda *words: cloud.scar("invoke", "-n", "f", *words, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_address[1]}").stdout
    server.shutdown()
    thread.join()
    server.server_close()


def test_invoke_sends_json_as_json(by_http, tmp_path):
    assert by_http("-jd", '{"a": [1]}') == 'POST application/json \n{"a": [1]}'
    assert by_http("-p", '{"x": "a b", "n": 1}').splitlines()[0].split(" ")[::2] == ["GET", "x=a%20b&n=1"]
    (tmp_path / "data").write_bytes(b"\x00\xff")
    assert by_http("-db", str(tmp_path / "data")) == "POST application/octet-stream \nAP8="
