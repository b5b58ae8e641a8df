"""A stand-in workspace for a test; `slack` is a fresh one, `shared` one for a whole file."""

import pytest
from stand_in import StandIn


@pytest.fixture
def slack(tmp_path):
    stand_in = StandIn(str(tmp_path))
    yield stand_in
    stand_in.program.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    stand_in = StandIn(str(tmp_path_factory.mktemp("slack")), "--relaxed-limits")
    yield stand_in
    stand_in.program.stop()
