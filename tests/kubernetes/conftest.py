"""A stand-in API server for a test."""

import os
import shutil

import pytest
from company import ROOT, Program, load

SERVE = os.path.join(ROOT, "tests", "kubernetes", "serve.py")


@pytest.fixture
def kubernetes(tmp_path):
    if not (os.environ.get("ENVBOT_KUBECTL") or shutil.which("kubectl")):
        pytest.fail("kubectl is missing; `make deps-test` installs it")
    ready = str(tmp_path / "kubernetes.ready")
    program = Program([SERVE, "--folder", str(tmp_path / "kubernetes"), "--defined",
                       "--ready-file", ready], ready, str(tmp_path / "kubernetes.log"))
    yield load("kubernetes").Kubernetes(program.url)
    program.stop()
