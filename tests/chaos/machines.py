"""Bots on machines of their own, as far as one machine can play several: each has a host name (so that
nobody takes the processes of another's for their own), and a clock that can be put forward and back."""

import glob
import os
import shutil
import subprocess

from built import built
from company import Bot

FAKE_TIME = "/usr/lib/*/faketime/libfaketimeMT.so.1"  # of Debian's libfaketime
MOST_WRONG = 240  # seconds; AWS takes signatures of up to five minutes


def own_names():
    """The words before a command that give it a host name of its own; [] where we may not."""
    for words in (["unshare", "--uts"], ["unshare", "--user", "--map-current-user", "--uts"]):
        tried = [*words, "sh", "-c", "hostname chaos-0"]
        if shutil.which("unshare") and subprocess.run(tried, capture_output=True).returncode == 0:
            return words
    return []


class Machine:
    def __init__(self, number, folder, names):
        self.name, self.names = f"chaos-{number}", names
        self.clock = os.path.join(folder, f"clock{number}")
        self.library = next(iter(glob.glob(FAKE_TIME)), None)
        self.set_clock(0)

    def set_clock(self, seconds):
        """Wrong by so much from now on. Its monotonic clock goes on as it did."""
        with open(self.clock + ".new", "w", encoding="utf-8") as file:
            file.write(f"{seconds:+.1f}\n")
        os.rename(self.clock + ".new", self.clock)

    def command(self, words):
        if self.names:
            words = [*self.names, "sh", "-c", 'hostname "$0" && exec "$@"', self.name,
                     *(["env", f"LD_PRELOAD={self.library}"] if self.library else []), *words]
        return words

    def environment(self, environment):
        # What killed jobs leave goes with the rest.
        return {**environment, "TMPDIR": os.path.dirname(self.clock),
                "FAKETIME_TIMESTAMP_FILE": self.clock, "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class MachineBot(Bot):
    def __init__(self, company, machine):
        self.machine = machine
        super().__init__(company, int(machine.name.rpartition("-")[2]))

    def start(self):
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.machine.command([built("envbot"), "serve", "--config", self.company.config]),
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env=self.machine.environment(self.company.environment()))
        return self


def forget_clocks():
    """What libfaketime leaves of processes that were killed."""
    for path in glob.glob("/dev/shm/faketime_shm_*") + glob.glob("/dev/shm/sem.faketime_sem_*"):
        if not os.path.exists(f"/proc/{path.rpartition('_')[2]}"):
            os.unlink(path)
