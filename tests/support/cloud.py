# SPDX-License-Identifier: Apache-2.0
"""AWS on loopback (moto, without Docker: functions answer with their event), and the `scar` command against it.

with Cloud() as cloud:
    cloud.scar("apply", "-f", definition, "--no-layer")
"""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from tests.support.places import BOOTSTRAP, SCAR
from tests.support.storage_servers import S3

REGION = "eu-west-1"
ACCOUNT = "123456789012"
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}


class Cloud(S3):
    def command(self) -> list[str]:
        return ["env", "MOTO_IAM_LOAD_MANAGED_POLICIES=true", *super().command()]

    def __enter__(self) -> "Cloud":
        super().__enter__()
        for program in (SCAR, BOOTSTRAP):
            if not os.access(program, os.X_OK):
                raise RuntimeError(f"{program} is not built: make")
        self._post("/moto-api/config", {"lambda": {"use_docker": False}, "batch": {"use_docker": False}})
        self.home = self.folder / "home"
        self.home.mkdir()
        return self

    def _post(self, path: str, document: dict | None = None) -> None:
        data = json.dumps(document or {}).encode()
        urllib.request.urlopen(urllib.request.Request(self.url + path, data=data, method="POST"), timeout=10).close()

    def reset(self) -> None:
        self._post("/moto-api/reset")

    def of(self, service: str):
        import boto3

        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **KEYS)

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SCAR_"))}
        return kept | {
            "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(self.home),
        }

    def scar(self, *words: str | Path, status: int | None = 0, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess:
        """Runs the command; `status` is the exit status that it must have, None for any."""
        done = subprocess.run([SCAR, *map(str, words)], capture_output=True, text=True, timeout=60, check=False, cwd=cwd, env=self.environ | environ, stdin=subprocess.DEVNULL)
        if status is not None:
            assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done
