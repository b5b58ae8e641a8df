"""The way to PostgreSQL, as a gate that looks into nothing but a connection's first words: it knows
which process is behind which backend, and breaks, shuts or holds the connections."""

import os
import socket
import struct
import threading
import time

from gate import Gate, Line


def start_time(pid):
    """When a process began, in clock ticks after boot; with its number a name for ever. 0: gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


class WireLine(Line):
    ended = 0

    def guard(self, run):
        super().guard(run)
        self.ended += 1
        if self.ended == 2:  # nobody reads from them any more
            self.client.close()
            self.server.close()

    def requests(self):
        peer = self.client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.pid = struct.unpack("3i", peer)[0]
        self.began = start_time(self.pid)
        length = self.take(self.client, 4)
        start = self.take(self.client, struct.unpack("!I", length)[0] - 4)
        words = start[4:].split(b"\0")
        self.application = dict(zip(words[::2], words[1::2])).get(b"application_name", b"").decode()
        self.server.sendall(length + start)
        self.pass_on(self.client, self.server)

    def answers(self):
        kind = b""
        while kind not in (b"Z", b"E"):
            kind, body = self.frame(self.server)
            if kind == b"K":  # BackendKeyData
                self.gate.met(self, struct.unpack("!I", body[:4])[0])
            self.client.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        self.pass_on(self.server, self.client)

    def pass_on(self, source, target):
        while chunk := source.recv(65536):
            self.gate.flows.wait()
            target.sendall(chunk)
        raise EOFError


class Wire(Gate):
    def __init__(self, postgres_directory):
        self.backends = []  # (time, backend, pid, start time of the process)
        self.flows = threading.Event()
        self.flows.set()
        super().__init__(postgres_directory)

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.shut:
                    raise ConnectionError
                line = WireLine(self, client)
            except OSError:  # PostgreSQL is away
                client.close()
                continue
            self.lines = [one for one in self.lines if one.client.fileno() >= 0] + [line]

    def met(self, line, backend):
        self.backends.append((time.time(), backend, line.pid, line.began))

    def process_behind(self, backend, at):
        """The client process of a backend at that time: (pid, start time)."""
        found = [entry for entry in self.backends if entry[1] == backend and entry[0] <= at + 0.01]
        return found[-1][2:] if found else None

    def swallow(self):
        """Nothing passes, and nobody is told: a network that swallows everything."""
        self.flows.clear()

    def release(self):
        self.flows.set()

    def close(self):
        self.release()
        super().close()
