"""An eksctl with a fresh folder that plays AWS."""

import pytest
from played import Played


@pytest.fixture
def eksctl(tmp_path):
    one = Played(tmp_path / "eksctl")
    one.set_pace(create_seconds=0.3, delete_seconds=0.2)
    return one
