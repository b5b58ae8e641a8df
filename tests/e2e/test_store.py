"""What the store promises whatever its callers forget."""

import os
import subprocess

from built import built


def test_a_commit_after_an_overlooked_failure_is_no_success(postgres):
    database = postgres.make_database(f"overlooked_{os.getpid()}")
    database.query("CREATE TABLE kept (number integer)")
    said = subprocess.run([built("drivers/overlooked_failure"), database.url], capture_output=True,
                          text=True, check=True, timeout=60).stdout.splitlines()
    assert said == ["a statement had failed before the commit", "committed"]
    assert database.query("SELECT number FROM kept") == [{"number": 2}]
