# SPDX-License-Identifier: Apache-2.0
"""`scar` and APIs of API Gateway before functions: HTTP APIs, and REST APIs with a stage of their own, against moto."""

from pathlib import Path

import pytest
import yaml

from tests.support.cloud import ACCOUNT, REGION, Cloud

NAME = "web"
APPLY = ("--no-layer", "--no-image-check")


def write(folder: Path, **api: str) -> Path:
    function: dict = {"lambda": {"name": NAME, "container": {"image": "grycap/cowsay"}}}
    if api:
        function["api_gateway"] = api
    path = folder / "function.yaml"
    path.write_text(yaml.safe_dump({"functions": {"aws": [function]}}))
    return path


def variables(cloud: Cloud) -> dict[str, str]:
    return cloud.of("lambda").get_function_configuration(FunctionName=NAME)["Environment"]["Variables"]


def changes(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line[:2] in ("+ ", "~ ")]


def test_an_http_api_is_made_shown_kept_and_removed(cloud: Cloud, tmp_path: Path):
    path = write(tmp_path, name="pages", type="http")
    assert "+ API pages" in cloud.scar("apply", "-f", path, *APPLY, "--dry-run").stdout
    assert not cloud.of("apigatewayv2").get_apis()["Items"]
    done = cloud.scar("apply", "-f", path, *APPLY)
    (api,) = cloud.of("apigatewayv2").get_apis()["Items"]
    assert (api["Name"], api["ProtocolType"]) == ("pages", "HTTP")
    assert not cloud.of("apigateway").get_rest_apis()["items"]
    assert variables(cloud)["API_GATEWAY_ID"] == api["ApiId"]
    url = f"https://{api['ApiId']}.execute-api.{REGION}.amazonaws.com/"
    assert url in done.stdout.split() and url in cloud.scar("ls").stdout.split()
    policy = cloud.of("lambda").get_policy(FunctionName=NAME)["Policy"]
    assert f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api['ApiId']}/" in policy

    assert not changes(cloud.scar("apply", "-f", path, *APPLY).stderr)
    # A definition that no longer names the API leaves it alone.
    assert not changes(cloud.scar("apply", "-f", write(tmp_path), *APPLY).stderr)
    cloud.scar("rm", "-n", NAME)
    assert not cloud.of("apigatewayv2").get_apis()["Items"]


@pytest.mark.parametrize(("first", "second", "said"), [("http", "rest", "is an HTTP API"), ("rest", "http", "is a REST API")])
def test_an_api_does_not_become_another(cloud: Cloud, tmp_path: Path, first: str, second: str, said: str):
    cloud.scar("apply", "-f", write(tmp_path, name="pages", type=first), *APPLY)
    before = variables(cloud)
    done = cloud.scar("apply", "-f", write(tmp_path, name="pages", type=second), *APPLY, status=78)
    assert said in done.stderr and "scar rm" in done.stderr
    assert variables(cloud) == before


def test_an_api_that_somebody_deleted_is_made_anew(cloud: Cloud, tmp_path: Path):
    path = write(tmp_path, name="pages", type="http")
    cloud.scar("apply", "-f", path, *APPLY)
    (old,) = cloud.of("apigatewayv2").get_apis()["Items"]
    cloud.of("apigatewayv2").delete_api(ApiId=old["ApiId"])
    assert "+ API pages" in changes(cloud.scar("apply", "-f", path, *APPLY).stderr)
    (new,) = cloud.of("apigatewayv2").get_apis()["Items"]
    assert variables(cloud)["API_GATEWAY_ID"] == new["ApiId"] != old["ApiId"]


def test_the_stage_of_a_rest_api_is_in_its_address(cloud: Cloud, tmp_path: Path):
    path = write(tmp_path, name="pages", stage_name="v2")
    done = cloud.scar("apply", "-f", path, *APPLY)
    url = f"https://{variables(cloud)['API_GATEWAY_ID']}.execute-api.{REGION}.amazonaws.com/v2/launch"
    assert url in done.stdout and url in cloud.scar("ls").stdout
    assert not changes(cloud.scar("apply", "-f", path, *APPLY).stderr)


def test_a_type_that_is_none_is_refused_with_its_line(cloud: Cloud, tmp_path: Path):
    done = cloud.scar("apply", "-f", write(tmp_path, name="pages", type="soap"), *APPLY, status=None)
    assert done.returncode != 0 and "api_gateway.type" in done.stderr and "rest" in done.stderr
