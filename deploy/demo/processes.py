"""The processes of one folder's demo: found by what they were started with, ended, and reaped.

Whatever the demo starts inherits DEMO_FOLDER. eksctl gets a clean environment from envbot and is
known by its home, which lies in the demo's folder for temporary files. Nothing else on the machine
looks like that by accident.
"""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans():
    """From now on a descendant that lost its parent, like a detached job, becomes our child."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(parts):
    """Takes away children that have ended; returns those of the given processes that are among
    them."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return []
        if not ended:
            return []
        known = [p for p in parts if p.process and p.process.pid == ended.si_pid]
        if known:
            known[0].process.poll()
            return known
        os.waitpid(ended.si_pid, 0)


def read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def parent(pid):
    """0 when there is no such process any more, or only its zombie is left."""
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 and fields[0] != b"Z" else 0


def belongs(pid, folder):
    home = f"HOME={folder}/tmp/envbot-job-".encode()
    return any(entry == f"DEMO_FOLDER={folder}".encode() or entry.startswith(home)
               for entry in read(pid, "environ").split(b"\0"))


def of_folder(folder, but=()):
    """Every process of that folder's demo but this one, and but those given and what they started."""
    found = {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
             if pid != os.getpid() and parent(pid) and belongs(pid, folder)}
    spared = set(but)
    while more := {pid for pid in found - spared if parent(pid) in spared}:
        spared |= more
    return found - spared


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end_all(folder, but=(), patience=10.0):
    """Asks those on top to end, as they end what they started; then ends what is left."""
    found = of_folder(folder, but)
    send([pid for pid in found if parent(pid) not in found], signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and of_folder(folder, but):
        reap([])
        time.sleep(0.05)
    while left := of_folder(folder, but):
        send(left, signal.SIGKILL)
        reap([])
        time.sleep(0.02)
