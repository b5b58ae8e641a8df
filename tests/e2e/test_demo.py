"""`make demo`: starts as a whole, ends as a whole, keeps what happened, and harms nothing else."""

import os
import signal
import socket
import subprocess
import time

import pytest

from company import ROOT, load

DEMO = os.path.join(ROOT, "deploy", "demo", "demo.py")


def wait_for(predicate, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := predicate()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


class Demo:
    def __init__(self, folder, pace=2, port=0):
        self.folder, self.pace, self.port = str(folder), pace, port
        self.said_path = self.folder + ".said"
        self.process = None

    def command(self, word, *more):
        return ["/usr/bin/python3", DEMO, word, "--folder", self.folder, *more]

    def run(self, word):
        return subprocess.run(self.command(word), capture_output=True, text=True, timeout=60)

    def start(self):
        with open(self.said_path, "wb") as said:
            self.process = subprocess.Popen(
                self.command("run", "--pace", str(self.pace), "--port", str(self.port)),
                stdout=said, stderr=said, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: "Ctrl-C ends it" in self.said() or self.process.poll() is not None,
                 "the demo is ready")
        assert self.process.poll() is None, self.said()
        address = [w for w in self.said().split() if w.startswith("http://127.0.0.1:")][0]
        self.slack = load("slack").Workspace(address)
        return self

    def said(self):
        with open(self.said_path, encoding="utf-8") as file:
            return file.read()

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(60)

    def traces(self):
        """Processes that name the folder in their command line or their environment."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = b""
                for name in ("cmdline", "environ"):
                    with open(f"/proc/{pid}/{name}", "rb") as file:
                        words += file.read()
            except OSError:
                continue
            if self.folder.encode() + b"/" in words or self.folder.encode() + b"\0" in words:
                found[int(pid)] = words
        return found

    def ask_and_approve(self, name):
        self.slack.type("U0DEV", "C0GEN", f"create small {name}")

        def card():
            for message in self.slack.messages("C0PLAT"):
                if f"/{name}*" in str(message.get("blocks")) and "'approve'" in str(message):
                    return message
            return None
        self.slack.click("U0APPR", "C0PLAT", self.slack.wait_for(card, "the card", 30)["ts"],
                         "approve")

    def wait_said(self, words, seconds=40):
        self.slack.wait_for(lambda: words in self.slack.transcript(), words, seconds)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where several tests use one folder: making a database takes longer than all the rest."""
    folder = tmp_path_factory.mktemp("demos")
    yield folder
    for name in os.listdir(folder):
        if os.path.isdir(folder / name):
            assert Demo(folder / name).run("reset").returncode == 0


@pytest.fixture
def demo(place):
    made = []

    def make(name="demo", **more):
        made.append(Demo(place / name, **more))
        return made[-1]

    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            one.end(signal.SIGTERM)
        assert not one.traces()


def test_it_plays_ends_whole_and_goes_on_where_it_was(demo):
    one = demo("story", pace=2).start()
    one.ask_and_approve("mine")
    one.wait_said("your cluster `payments-mine`")

    second = one.run("run")
    assert second.returncode == 1
    assert f"It runs already: {one.slack.url}" in second.stderr
    refused = one.run("reset")
    assert refused.returncode == 1 and "It runs already" in refused.stderr
    assert one.slack.state("U0DEV")["me"]["name"] == "developer"  # neither did any harm

    assert one.end(signal.SIGINT) == 0
    assert not one.traces()

    one.start()
    assert "your cluster `payments-mine`" in one.slack.transcript()
    one.wait_said("*payments/mine* is gone")  # its time was up while nobody looked
    assert [m["to"] for m in one.slack.call("/control/mails")["mails"]][0] == [
        "developer@example.com"]
    assert one.end(signal.SIGTERM) == 0

    assert one.run("reset").returncode == 0
    assert not os.path.exists(one.folder)


def test_closing_the_terminal_ends_a_running_job_too(demo):
    one = demo(pace=60).start()
    one.ask_and_approve("slow")
    wait_for(lambda: any(b"create\0cluster" in w for w in one.traces().values()),
             "eksctl runs")
    assert one.end(signal.SIGHUP) == 0
    assert not one.traces()


def test_it_starts_again_after_it_was_killed(demo):
    one = demo(pace=3).start()
    one.ask_and_approve("again")
    wait_for(lambda: any(b"create\0cluster" in w for w in one.traces().values()),
             "eksctl runs")
    one.process.kill()
    one.process.wait()
    left = set(one.traces())
    assert left  # what the killed runner could not end
    one.start()
    assert not left & set(one.traces())
    one.wait_said("your cluster `payments-again`")


def test_a_part_that_dies_is_named_with_the_end_of_its_log(demo):
    one = demo().start()
    bot, = [pid for pid, words in one.traces().items() if b"envbot\0serve\0" in words]
    os.kill(bot, signal.SIGKILL)
    assert one.process.wait(60) == 1
    assert "envbot has ended (with signal 9)" in one.said()
    assert "msg=serving" in one.said()
    assert not one.traces()


def test_a_busy_port_and_a_long_path_are_no_trouble(demo):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        one = demo("d" * 120, port=port).start()
        assert one.slack.url != f"http://127.0.0.1:{port}"
        elsewhere = os.path.realpath(os.path.join(one.folder, "postgres"))
        assert not elsewhere.startswith(one.folder)
        assert f"The database is kept in {elsewhere}" in one.said()
        one.end(signal.SIGTERM)
        assert one.run("reset").returncode == 0
        assert not os.path.exists(elsewhere)
