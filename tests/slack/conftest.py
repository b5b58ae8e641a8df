"""A stand-in workspace for a test: `slack` is as new, `shared` never answers 429."""

import pytest
from stand_in import StandIn


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory):
    one = StandIn(str(tmp_path_factory.mktemp("slack")))
    yield one
    one.program.stop()


@pytest.fixture
def slack(stand_in):
    stand_in.call("/control/reset", {})
    return stand_in


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    one = StandIn(str(tmp_path_factory.mktemp("slack")), "--relaxed-limits")
    yield one
    one.program.stop()
