# SPDX-License-Identifier: Apache-2.0
"""Where credentials come from, and where else content may come from: AWS (moto), Docker's credential helpers, mirrors, proxies."""

import json
from collections.abc import Iterator

import pytest
from test_registry import assert_pulled, facts, probe, refused  # noqa: F401 (a fixture)

from tests.support import images
from tests.support.connect_proxy import ConnectProxy
from tests.support.images import run
from tests.support.places import tool
from tests.support.registry import PASSWORD, USER, Registry, free_port, make_certificate

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto is not installed")

REGION, ACCOUNT = "eu-west-1", "123456789012"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ROLE = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret/key", "AWS_SESSION_TOKEN": "token//+="}


class TlsRegistry(Registry):
    """With a certificate for a name of the test's choice, and a password file as given."""

    def __init__(self, name: str, user: str, password: str) -> None:
        super().__init__("basic", tls=True)
        self.name, self.user, self.password = name, user, password

    def _settings(self) -> dict:
        settings = super()._settings()
        key, self.certificate = make_certificate(self._folder, self.name)
        settings["http"]["tls"] = {"certificate": str(self.certificate), "key": str(key)}
        (self._folder / "htpasswd").write_text(run(tool("htpasswd", "apache2-utils"), "-Bbn", self.user, self.password).stdout)
        return settings

    def fill(self, repository: str) -> None:
        run(
            *(tool("skopeo"), "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"),
            *("--dest-creds", f"{self.user}:{self.password}", f"oci:{images.image('layered')}:latest", f"docker://{self.host}/{repository}:latest"),
        )


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def client(service: str, aws: str):  # noqa: ANN201 (made at run time)
    return boto3.client(service, endpoint_url=aws, region_name=REGION, aws_access_key_id="AKIATEST", aws_secret_access_key="x")


def test_ecr_is_pulled_from_with_the_role_alone(probe, aws, tmp_path):  # noqa: F811
    token = f"{ACCOUNT}-auth-token"  # moto's
    with TlsRegistry(ECR, "AWS", token) as registry, ConnectProxy(registry.host) as proxy:
        registry.fill("team/app")
        environ = {"https_proxy": proxy.url, "SCAR_CA_BUNDLE": str(registry.certificate)}
        reference = f"{ECR}/team/app:latest"
        assert_pulled(tmp_path, probe("-a", aws, "-o", tmp_path, reference, **environ, **ROLE))
        assert set(proxy.asked) == {f"{ECR}:443"}
        refused(probe("-a", aws, reference, **environ), "auth", "AWS_ACCESS_KEY_ID is not set")
        # A password given by hand goes before.
        refused(probe("-a", aws, "-u", "AWS:no", reference, **environ, **ROLE), "auth", "user name or password is wrong")
        # no_proxy is heeded: nothing of that name is to be found without.
        refused(probe("-a", aws, reference, no_proxy=".amazonaws.com", **environ, **ROLE), "network", ECR)


SECRETS = {
    "pair": lambda host: json.dumps({"username": USER, "password": PASSWORD}),
    "config": lambda host: json.dumps({"auths": {"other.example": {}, host: {"username": USER, "password": PASSWORD}}}),
    "text": lambda host: f"{USER}:{PASSWORD}\n",
}


@pytest.mark.parametrize("form", SECRETS)
def test_credentials_come_from_a_secret(probe, aws, form):  # noqa: F811
    with Registry("basic") as registry:
        reference = registry.push(images.image("busybox"), "busybox")
        text = SECRETS[form](registry.host)
        arn = client("secretsmanager", aws).create_secret(Name=f"pull-{form}", SecretString=text)["ARN"]
        facts(probe("-a", aws, "-s", arn, reference, **ROLE))
        client("ssm", aws).put_parameter(Name=f"/pull/{form}", Value=text, Type="SecureString")
        facts(probe("-a", aws, "-s", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/pull/{form}", reference, **ROLE))


def test_a_secret_that_cannot_be_had_is_named(probe, aws):  # noqa: F811
    reference = f"127.0.0.1:{free_port()}/busybox"
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-AbCdEf"
    refused(probe("-a", aws, "-s", arn, reference, **ROLE), "not-found", arn)
    refused(probe("-a", aws, "-s", arn, reference), "auth", "AWS_ACCESS_KEY_ID")
    refused(probe("-a", aws, "-s", "my-secret", reference, **ROLE), "config", "no ARN")
    refused(probe("-a", aws, "-s", f"arn:aws:s3:{REGION}:{ACCOUNT}:x", reference, **ROLE), "config", "neither")
    bad = client("secretsmanager", aws).create_secret(Name="bad", SecretString='{"hidden": "hunter2"}')["ARN"]
    done = probe("-a", aws, "-s", bad, reference, **ROLE)
    refused(done, "config", bad)
    assert "hunter2" not in done.stderr


HELPER = """#!/bin/sh
[ "$1" = get ] || exit 3
read -r server
case $server in
{host}) printf '{{"ServerURL":"%s","Username":"{user}","Secret":"{password}"}}' "$server" ;;
broken.example) echo secret-text; exit 0 ;;
stuck.example) exec >&-; sleep 60 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


def test_credential_helpers_are_asked(probe, tmp_path):  # noqa: F811
    with Registry("basic") as registry:
        reference = registry.push(images.image("busybox"), "busybox")
        helper = tmp_path / "docker-credential-vault"
        helper.write_text(HELPER.format(host=registry.host, user=USER, password=PASSWORD))
        helper.chmod(0o755)
        config, path = tmp_path / "config.json", f"{tmp_path}:/usr/bin:/bin"
        for document in ({"credHelpers": {registry.host: "vault"}}, {"credsStore": "vault"}, {"auths": {registry.host: {}}, "credsStore": "vault"}):
            config.write_text(json.dumps(document))
            facts(probe("-c", config, reference, PATH=path))
        # Without the program there are none; so it is where it knows none.
        refused(probe("-c", config, reference), "auth", "asks for a user name and password")
        config.write_text(json.dumps({"credHelpers": {registry.host: "../vault"}}))
        refused(probe("-c", config, reference, PATH=path), "config", "no name of a credential helper")
        config.write_text(json.dumps({"credsStore": "vault"}))
        done = probe("-c", config, "broken.example/x", PATH=path)
        refused(done, "config", "docker-credential-vault")
        assert "secret-text" not in done.stderr
        refused(probe("-c", config, "stuck.example/x", PATH=path), "config", "was ended")


def test_an_identity_token_is_traded_for_tokens(probe, tmp_path):  # noqa: F811
    with Registry("token") as registry:
        reference = registry.push(images.image("layered"), "group/layered")
        pushes = len(registry.tokens.requests)
        config, path = tmp_path / "config.json", f"{tmp_path}:/usr/bin:/bin"
        helper = tmp_path / "docker-credential-vault"
        helper.write_text(HELPER.format(host=registry.host, user="<token>", password=registry.tokens.identity))
        helper.chmod(0o755)
        # As `docker login` keeps it, and as a credential helper gives it.
        login = {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": registry.tokens.identity}
        for document in ({"auths": {registry.host: login}}, {"credsStore": "vault"}):
            config.write_text(json.dumps(document))
            assert_pulled(tmp_path, probe("-c", config, "-j", "4", "-o", tmp_path, reference, PATH=path))
        # One each, and nothing of it in an address.
        assert registry.tokens.requests[pushes:] == ["/token", "/token"]
        config.write_text(json.dumps({"auths": {registry.host: login | {"identitytoken": "gone-secret"}}}))
        done = probe("-c", config, reference)
        refused(done, "auth", "refused the identity token")
        assert "gone-secret" not in done.stderr
    with Registry("basic") as registry:
        reference = registry.push(images.image("busybox"), "busybox")
        refused(probe("-u", f"<token>:{PASSWORD}", reference), "auth", "not for an identity token")


def test_mirrors_come_first_and_the_registry_last(probe, registry, tmp_path):  # noqa: F811
    with Registry() as mirror, Registry() as second:
        reference = registry.push(images.image("layered"), "group/layered")
        mirror.push(images.image("layered"), "cache/group/layered")
        second.push(images.image("layered"), "group/layered")
        dead = f"127.0.0.1:{free_port()}"
        both = f"{registry.host}={mirror.host}/cache"
        assert_pulled(tmp_path, probe("-m", both, "-o", tmp_path, reference))
        # All of it came from the mirror: the registry need not even exist.
        gone = f"127.0.0.1:{free_port()}"
        facts(probe("-m", f"{gone}={mirror.host}/cache", f"{gone}/group/layered"))
        # A dead mirror, one that lacks the image, then one that has it; other registries' mirrors do not count.
        lacking = f"{gone}={dead},{gone}={registry.host}/nowhere other.example={dead} {gone}={second.host}"
        facts(probe("-m", lacking, f"{gone}/group/layered"))
        # No mirror has it: the registry does.
        facts(probe("-m", f"{registry.host}={dead} {registry.host}={second.host}/nowhere", reference))
        refused(probe("-m", f"{gone}={dead}", f"{gone}/group/layered"), "network", f"mirror {dead}")
        for wrong in ("nonsense", "=x", f"{gone}=", f"{gone}=https://m.example", f"{gone}=plainword"):
            refused(probe("-m", wrong, f"{gone}/group/layered"), "config", "mirror")


def test_a_blob_begun_at_a_mirror_is_finished_by_the_registry(probe, registry, tmp_path):  # noqa: F811
    reference = registry.push(images.image("layered"), "half/layered")
    with Registry() as mirror:
        mirror.push(images.image("layered"), "half/layered")
        largest = max(registry.inspect(reference)["layers"], key=lambda layer: layer["size"])
        digest = largest["digest"].removeprefix("sha256:")
        stored = mirror._folder / f"storage/docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"
        # The mirror's copy ends early, as it does on a full disk.
        stored.write_bytes(stored.read_bytes()[: largest["size"] // 2])
        assert_pulled(tmp_path, probe("-m", f"{registry.host}={mirror.host}", "-o", tmp_path, reference))
        # What a mirror gives is verified like anything else.
        stored.write_bytes(bytes(largest["size"]))
        refused(probe("-m", f"{registry.host}={mirror.host}", reference), "integrity", digest)


def test_the_password_of_a_registry_is_not_given_to_its_mirror(probe):  # noqa: F811
    with Registry("basic") as registry, Registry("basic") as mirror:
        reference = registry.push(images.image("busybox"), "busybox")
        mirror.push(images.image("busybox"), "busybox")
        gone = f"127.0.0.1:{free_port()}"
        credentials, mirrors = ("-u", f"{USER}:{PASSWORD}"), f"{gone}={mirror.host}"
        refused(probe(*credentials, "-m", mirrors, f"{gone}/busybox"), "network", "user name and password")
        facts(probe(*credentials, "-m", f"{registry.host}={mirror.host}", reference))
