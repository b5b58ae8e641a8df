"""The deliberate mistakes, which show that tests and chaos notice them, still fit the code."""
import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def misfits(mistakes):
    return [m["mistake"] for m in mistakes if m["right"] == m["wrong"]
            or (ROOT / m["file"]).read_text(encoding="utf-8").count(m["right"]) != m.get("times", 1)]


@pytest.mark.parametrize("path,least", [("tests/mutation/mistakes.yaml", 20),
                                        ("tests/chaos/mistakes.yaml", 5)])
def test_each_deliberate_mistake_fits_the_code(path, least):
    mistakes = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    assert len(mistakes) >= least
    assert misfits(mistakes) == []


def test_a_mistake_that_does_not_fit_is_found():
    assert misfits([{"mistake": "gone", "file": "README.md", "right": "no such line", "wrong": ""},
                    {"mistake": "none", "file": "README.md", "right": "# envbot\n", "wrong": "# envbot\n"}])\
        == ["gone", "none"]
