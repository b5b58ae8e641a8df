"""A gate between envbot and its PostgreSQL: it lets everything through until it is told to hold what
a named connection asks, or what it is answered. So a process stands surely between two steps."""

import os
import select
import shutil
import socket
import struct
import tempfile
import threading


class Rule:
    """Holds a connection, and all that comes on it later, from the first match on."""

    def __init__(self, application, matches):
        self.application, self.matches = application, matches
        self.reached, self.open = threading.Event(), threading.Event()

    def wait(self, what, seconds=30):
        assert self.reached.wait(seconds), f"not within {seconds} s: {what}"

    def meets(self, application, *frame):
        if application.startswith(self.application) and not self.open.is_set() \
                and self.matches(*frame):
            self.reached.set()
            return True
        return False


class Line:
    """One connection, its two directions read frame by frame (PostgreSQL's protocol 3.0)."""

    def __init__(self, gate, client):
        self.gate, self.client = gate, client
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(gate.server)
        self.application, self.statements = "", {}
        for run in (self.requests, self.answers):
            threading.Thread(target=self.guard, args=(run,), daemon=True).start()

    def guard(self, run):
        try:
            run()
        except (OSError, EOFError):
            pass
        self.close()

    def close(self):
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def take(source, count):
        taken = b""
        while len(taken) < count:
            more = source.recv(count - len(taken))
            if not more:
                raise EOFError
            taken += more
        return taken

    def frame(self, source):
        """Its kind and its body."""
        head = self.take(source, 5)
        return head[:1], self.take(source, struct.unpack("!I", head[1:])[0] - 4)

    def requests(self):
        length = self.take(self.client, 4)
        start = self.take(self.client, struct.unpack("!I", length)[0] - 4)
        words = start[4:].split(b"\0")
        self.application = dict(zip(words[::2], words[1::2])).get(b"application_name", b"").decode()
        self.server.sendall(length + start)
        while True:
            kind, body = self.frame(self.client)
            sql = ""
            if kind == b"P":  # Parse: a name, the statement
                name, text = body.split(b"\0")[:2]
                self.statements[name] = text.decode()
            if kind == b"B":  # Bind: a portal, the statement's name, its values
                sql = self.statements[body.split(b"\0")[1]]
            for rule in self.gate.asked if sql else ():
                if rule.meets(self.application, sql, body):
                    self.gate.hold(rule, self.client)
            self.server.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def answers(self):
        while True:
            kind, body = self.frame(self.server)
            for rule in self.gate.answered if kind == b"C" else ():  # CommandComplete
                if rule.meets(self.application, body.rstrip(b"\0").decode()):
                    self.gate.hold(rule, self.client)
            self.client.sendall(kind + struct.pack("!I", len(body) + 4) + body)


class Gate:
    @classmethod
    def of(cls, company, teams):
        """A gate through which the company's bots and jobs, started from now on, must go."""
        gate = cls(company.postgres.directory)
        company.write_config(teams, {**company.options, "database.url": company.database.url.replace(
            company.postgres.directory, gate.directory)})
        return gate

    def __init__(self, postgres_directory):
        self.directory = tempfile.mkdtemp(prefix="envbot-gate-")  # a socket's path must be short
        self.server = os.path.join(postgres_directory, ".s.PGSQL.5432")
        self.asked, self.answered, self.lines = [], [], []
        self.shut = False  # True: as if PostgreSQL were away, for whoever comes now
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(self.directory, ".s.PGSQL.5432"))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                if self.shut:
                    client.close()
                else:
                    self.lines.append(Line(self, client))
            except OSError:
                return

    @staticmethod
    def hold(rule, client):
        """Until the rule is lifted; what a client wanted that is gone by then goes no further."""
        hung_up = select.poll()
        hung_up.register(client, select.POLLRDHUP)
        lifted = False
        while not lifted:
            lifted = rule.open.wait(0.02)
            if hung_up.poll(0):
                raise EOFError

    def before(self, application, statement, value=""):
        """Holds such a connection right before it asks this, with this among its values."""
        rule = Rule(application, lambda sql, bound: statement in sql and value.encode() in bound)
        self.asked.append(rule)
        return rule

    def after(self, application, tag):
        """Holds the answer: PostgreSQL has done it ("COMMIT"), and the program cannot know."""
        rule = Rule(application, lambda answer: answer.split()[0] == tag)
        self.answered.append(rule)
        return rule

    def lift(self):
        for rule in self.asked + self.answered:
            rule.open.set()
        self.asked, self.answered = [], []

    def cut(self, application="", shut=False):
        """Breaks the connections of that name; shut: and lets nobody in until open()."""
        self.shut = shut
        for line in self.lines:
            if line.application.startswith(application):
                line.close()

    def open(self):
        self.shut = False

    def close(self):
        self.lift()
        self.listener.close()
        self.cut()
        shutil.rmtree(self.directory, ignore_errors=True)
