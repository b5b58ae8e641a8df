"""What every test from outside starts from: a PostgreSQL for the run, a company for the test."""

import itertools
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))

from company import ROOT, Company, Program, load  # noqa: E402
from postgres import Postgres  # noqa: E402


@pytest.fixture(scope="session")
def postgres():
    # Of hundreds of small databases that are soon gone, none is worth a round of cleaning.
    server = Postgres(autovacuum="off").start()
    yield server
    server.remove()


@pytest.fixture
def kubernetes(tmp_path):
    """A stand-in API server."""
    if not (os.environ.get("ENVBOT_KUBECTL") or shutil.which("kubectl")):
        pytest.fail("kubectl is missing; `make deps-test` installs it")
    ready = str(tmp_path / "kubernetes.ready")
    serve = os.path.join(ROOT, "tests", "kubernetes", "serve.py")
    program = Program([serve, "--folder", str(tmp_path / "kubernetes"), "--defined",
                       "--ready-file", ready], ready, str(tmp_path / "kubernetes.log"))
    yield load("kubernetes").Kubernetes(program.url)
    program.stop()


# What takes long goes first, so that no worker is left alone with it at the end.
LONG = ["test_page", "test_page_content", "test_past", "test_database_away", "test_demo",
        "test_attacks_replayed", "test_attacks", "test_queue_cost", "test_failures", "test_hostile",
        "test_workloads", "test_operation", "test_pause", "test_connections", "test_sweep", "test_sdk",
        "test_wrong_click", "test_reconcile", "test_schedule", "test_scale", "test_breaker",
        "test_queue", "test_kubernetes_jobs", "test_attacks_clock", "test_slack_faults", "test_waiting",
        "test_crash", "test_lease", "test_twice", "test_cluster_rules", "test_audit"]


def group(item):
    """Tests that share what is long in the making stay with one worker; None: it may go anywhere."""
    if "driver" in item.fixturenames:
        return "the browser"
    of_module = any(made[-1].scope == "module" for made in item._fixtureinfo.name2fixturedefs.values())
    return item.path.stem if of_module else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: (LONG + [item.path.stem]).index(item.path.stem))
    for item in items:
        if group(item):
            item.add_marker(pytest.mark.xdist_group(group(item)))


numbers = itertools.count(1)


@pytest.fixture
def company(tmp_path, postgres, request):
    """A factory: company(options…) makes a world; what went wrong is shown when a test fails. With
    server=… its database is in another PostgreSQL than everybody's."""
    made = []

    def make(server=None, **more):
        one = Company(tmp_path, server or postgres, f"t{os.getpid()}_{next(numbers)}", **more)
        made.append(one)
        return one

    yield make
    failed = getattr(request.node, "failed", False)
    for one in made:
        violations = one.slack.violations() if one.slack_program.process.poll() is None else []
        if failed:
            for bot in one.bots:
                print(f"--- {bot.log_path}\n{bot.log()[-4000:]}")
        one.stop()
        assert failed or not violations, f"Slack refused what the bot sent: {violations}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True
