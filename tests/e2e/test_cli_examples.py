# SPDX-License-Identifier: Apache-2.0
"""The kinds of definition that SCAR's examples are: each is taken, and planned. The facts (keys, images, modes) are theirs, the files are written anew."""

from pathlib import Path

import pytest

from tests.support.cloud import Cloud

# name, image, other keys of lambda, other sections
EXAMPLES = [
    ("cowsay", "image: grycap/cowsay", "", ""),
    ("cowsay-ecr", "image: 'ubuntu:20.04'", "init_script: run.sh, runtime: image, supervisor: {version: latest}", ", ecr: {delete_image: false}"),
    ("cowsay-alpine", "image: 'alpine:3.14', alpine: true, create_image: true", "init_script: run.sh, runtime: image, architectures: [arm64]", ""),
    ("aws-cli", "image: grycap/awscli, environment: {Variables: {AWS_ACCESS_KEY_ID: x, AWS_SECRET_ACCESS_KEY: y}}", "", ""),
    ("darknet", "image: grycap/darknet", "memory: 2048, init_script: run.sh, INPUT, OUTPUT", ""),
    ("darknet-api", "image: grycap/darknet", "memory: 2048, init_script: run.sh", ", api_gateway: {name: darknet}"),
    ("darknet-api-s3", "image: grycap/darknet", "memory: 3008, timeout: 300, init_script: run.sh, OUTPUT", ", api_gateway: {name: darknet}"),
    ("dwi-ivim", "image: grycap/dwi", "memory: 1024, init_script: run.sh, INPUT, OUTPUT", ""),
    ("elixir", "image: grycap/elixir", "", ""),
    ("erlang", "image: grycap/erlang", "run_script: run.sh", ""),
    ("ffmpeg", "image: sameersbn/ffmpeg", "memory: 2048, init_script: run.sh, INPUT, OUTPUT", ""),
    ("imagemagick", "image: grycap/imagemagick", "init_script: run.sh, INPUT, OUTPUT", ""),
    ("mask-detector", "image: 'grycap/mask-detector-yolo:mini'", "memory: 512, init_script: run.sh, INPUT, OUTPUT", ""),
    ("mpi", "image_file: image.tar, environment: {Variables: {EXEC_TYPE: lambda}}", "run_script: run.sh, deployment: {bucket: mpi}, OUTPUT", ""),
    ("mrbayes", "image: grycap/mrbayes", "init_script: run.sh, INPUT, OUTPUT", ""),
    ("r", "image: grycap/r-base-lambda", "", ""),
    ("ruby", "image: 'ruby:2.2.10-slim-jessie'", "", ""),
    ("spectacle", "image: sourcey/spectacle", "init_script: run.sh, INPUT, OUTPUT", ""),
    ("theano", "image: grycap/theano", "", ""),
    ("efs", "image: grycap/cowsay", "vpc: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}, file_system: [{Arn: 'arn:x', LocalMountPath: /mnt/efs}]", ""),
]
BATCH = [
    ("deep-audio", "image: deephdc/deep-oc-audio", "execution_mode: batch, init_script: run.sh, log_level: DEBUG, INPUT, OUTPUT", ", batch: {memory: 8000, vcpus: 4, compute_resources: {security_group_ids: [sg-1], subnets: [subnet-1, subnet-2], instance_types: [g3s.xlarge]}}"),
    ("mpi-batch", "image: grycap/mpi, environment: {Variables: {EXEC_TYPE: batch}}", "execution_mode: batch, init_script: run.sh, INPUT, OUTPUT", ", batch: {multi_node_parallel: {enabled: true, number_nodes: 2, main_node_index: 0}}"),
    ("av-workflow", "image: 'grycap/audio2srt:mini'", "execution_mode: lambda-batch, init_script: run.sh, INPUT, OUTPUT", ", batch: {enable_gpu: true}"),
]


def text_of(name: str, container: str, keys: str, sections: str) -> str:
    keys = keys.replace("INPUT", f"input: [{{storage_provider: s3, path: scar-{name}/input}}]")
    keys = keys.replace("OUTPUT", f"output: [{{storage_provider: s3, path: scar-{name}/output, suffix: [jpg, txt]}}]")
    return f"functions: {{aws: [{{lambda: {{name: scar-{name}, container: {{{container}}}{', ' if keys else ''}{keys}}}{sections}}}]}}\n"


@pytest.fixture(scope="module")
def cloud():
    with Cloud() as running:
        yield running


def plan(cloud: Cloud, folder: Path, example: tuple[str, str, str, str], status: int | None):
    (folder / "run.sh").write_text("true\n")
    (folder / "image.tar").write_text("an image")
    (folder / "function.yaml").write_text(text_of(*example))
    runtime = () if "arm64" in example[2] else ("--no-layer",)
    # A runtime for the other processor is not built here; its layer stands for it.
    layer = ("--layer", folder / "run.sh") if not runtime else ()
    return cloud.scar("apply", "-f", folder / "function.yaml", "--dry-run", "--no-image-check", *runtime, *layer, status=status)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[0])
def test_an_example_is_planned(cloud: Cloud, tmp_path: Path, example: tuple[str, str, str, str]):
    done = plan(cloud, tmp_path, example, 0)
    assert f"+ function scar-{example[0]}" in done.stdout
    assert ("+ trigger" in done.stdout) == ("INPUT" in example[2])
    assert ("+ API darknet" in done.stdout) == ("api_gateway" in example[3])


@pytest.mark.parametrize("example", BATCH, ids=lambda example: example[0])
def test_an_example_for_batch_is_planned_with_its_jobs(cloud: Cloud, tmp_path: Path, example: tuple[str, str, str, str]):
    done = plan(cloud, tmp_path, example, 0)
    for what in ("function", "Batch queue", "job definition"):
        assert f"+ {what} scar-{example[0]}" in done.stdout
