"""What Slack refuses fails the test that caused it, whatever else the test looked at."""

import os
import subprocess

from company import ROOT

STORIES = '''
def test_sound(company):
    assert company().slack.call("/api/blocks.validate", {"blocks": []})["ok"]


def test_unsound(company):
    assert company().slack.call("/api/chat.shout", {})["error"] == "unknown_method"
'''


def test_a_refusal_that_nobody_looked_at_fails_its_test(tmp_path):
    (tmp_path / "test_stories.py").write_text(STORIES)
    tests = os.path.join(ROOT, "tests")
    done = subprocess.run(
        ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "-p", "conftest", f"--rootdir={tmp_path}",
         f"--basetemp={tmp_path / 't'}", "--tb=line", str(tmp_path / "test_stories.py")],
        capture_output=True, text=True, timeout=120,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
             "PYTHONPATH": tests})
    assert "test_stories.py::test_unsound" in done.stdout, done.stdout + done.stderr
    assert "Slack refused what the bot sent" in done.stdout and "chat.shout" in done.stdout
    assert "2 passed, 1 error" in done.stdout
