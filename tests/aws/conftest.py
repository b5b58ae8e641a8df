"""A stand-in AWS for a test."""

import os

import pytest
from company import ROOT, Program, load


@pytest.fixture(scope="session")
def stand_in_aws(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aws")
    ready = str(folder / "aws.ready")
    program = Program([os.path.join(ROOT, "tests", "aws", "serve.py"),
                       "--ready-file", ready], ready, str(folder / "aws.log"))
    yield load("aws").Aws(program.url)
    program.stop()


@pytest.fixture
def aws(stand_in_aws, tmp_path, monkeypatch):
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    stand_in_aws.call("/control/reset", {})
    return stand_in_aws
