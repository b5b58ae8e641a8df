"""The house stays readable: files that one can take in, and a page on each folder."""
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_LINES = 500


def too_long(lengths):
    return [f"{path} has {lines} lines; split it by concern (at most {MOST_LINES})"
            for path, lines in sorted(lengths.items()) if lines > MOST_LINES]


def test_files_stay_under_500_lines():
    lengths = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
               for folder in ("bot", "commands", "approvals", "tests/unit", "tests/drivers")
               for path in (ROOT / folder).rglob("*.[ch]")}
    assert len(lengths) > 100  # the whole house was read
    assert too_long(lengths) == []


def test_a_long_file_is_found():
    assert too_long({"a.c": 501, "b.c": 500}) == ["a.c has 501 lines; split it by concern "
                                                  "(at most 500)"]


FOLDERS = ("", "bot", "bot/base", "bot/store", "bot/slack", "bot/aws", "bot/jobs", "bot/lifecycle",
           "bot/http", "commands", "approvals", "templates", "tests", "tests/slack", "tests/aws",
           "tests/eksctl", "tests/kubernetes", "tests/chaos", "deploy", "deploy/demo", "deploy/kubernetes")


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_its_page(folder):
    page = ROOT / folder / "README.md"
    assert page.exists(), f"{folder or 'the top'} has no README.md"
    assert 5 < page.read_text(encoding="utf-8").count("\n") < 160  # one page
