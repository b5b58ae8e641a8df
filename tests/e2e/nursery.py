#!/usr/bin/python3
"""Starts stand-ins by forking: a program and its libraries are read once for a whole run of tests.

As a program: `nursery.py PROGRAM` reads PROGRAM, which has a coroutine main(), and serves orders on its
standard input, a socket, until that closes. An order is a line of JSON, {"arguments": [PROGRAM, …],
"log": path}; the answer is the process's number.
"""

import asyncio
import atexit
import gc
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys


class Forked:
    """A process that somebody else started: as much of subprocess.Popen as stand-ins need."""

    def __init__(self, pid):
        self.pid = pid
        self.handle = os.pidfd_open(pid)

    def ended(self, seconds):
        return bool(select.select([self.handle], [], [], seconds)[0])

    def poll(self):
        return 0 if self.ended(0) else None

    def wait(self, timeout=None):
        if not self.ended(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return 0

    def send_signal(self, number):
        if not self.ended(0):
            signal.pidfd_send_signal(self.handle, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Nursery:
    def __init__(self, program):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(["/usr/bin/python3", os.path.abspath(__file__), program],
                                        stdin=theirs, start_new_session=True)
        theirs.close()
        self.socket = ours
        self.answers = ours.makefile("r", encoding="utf-8")
        atexit.register(self.socket.close)

    def start(self, arguments, log):
        order = json.dumps({"arguments": arguments, "log": log})
        self.socket.sendall(order.encode() + b"\n")
        return Forked(int(self.answers.readline()))


nurseries = {}  # by program


def start(arguments, log):
    """Starts a Python program (its path and arguments) whose output goes into the file log."""
    program = arguments[0]
    if program not in nurseries:
        nurseries[program] = Nursery(program)
    return nurseries[program].start(arguments, log)


def read(program):
    sys.path[0] = os.path.dirname(program)
    spec = importlib.util.spec_from_file_location("stand_in_program", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def become(module, order):
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(number, target)
    sys.argv = order["arguments"]
    asyncio.run(module.main())


def main():
    module = read(sys.argv[1])
    gc.freeze()  # what was read stays shared with the children
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: the kernel cleans up
    orders = socket.socket(fileno=os.dup(0))
    for line in orders.makefile("r", encoding="utf-8"):
        pid = os.fork()
        if pid == 0:
            become(module, json.loads(line))
            sys.stdout.flush()
            os._exit(0)
        orders.sendall(f"{pid}\n".encode())


if __name__ == "__main__":
    main()
