"""A private PostgreSQL: its own cluster in a folder, on a unix socket, never as root."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse

import psycopg2


def find_binaries():
    """Where Debian keeps initdb and postgres of the newest version installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"),
                   key=lambda p: int(p.split("/")[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: run `make deps-test`")
    return found[-1]


class Postgres:
    """start() makes the cluster if there is none. As root it runs as the user postgres. durable: a
    commit outlives a crash; large: with more in it than a test's few rows."""

    def __init__(self, directory=None, durable=False, large=False, **settings):
        self.binaries = find_binaries()
        self.temporary = directory is None
        self.durable = durable
        self.directory = directory or tempfile.mkdtemp(prefix="envbot-pg-", dir=self.place(durable or large))
        self.settings = settings  # of postgresql.conf, over the usual ones
        self.environment = {}     # of its processes, over our own
        self.log = os.path.join(self.directory, "log")
        self.process = None
        self.maker = None  # a connection for making databases, with warm caches
        self.migrated = None  # the name of one that envbot migrated, to be copied
        self.user = "postgres" if os.getuid() == 0 else None
        self.owner = self.user or pwd.getpwuid(os.getuid()).pw_name
        if self.user:
            account = pwd.getpwnam(self.user)
            os.makedirs(self.directory, exist_ok=True)
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        os.chmod(self.directory, 0o755)

    @staticmethod
    def place(on_disk):
        """In memory where there is room: there a new database costs a fifth."""
        memory = "/dev/shm"
        roomy = os.path.isdir(memory) and shutil.disk_usage(memory).free > 2 << 30
        return memory if roomy and not on_disk else None

    @property
    def data(self):
        return os.path.join(self.directory, "data")

    def options(self):
        return {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}

    def initialise(self):
        """Under another name until it is whole, so that an initdb that was killed leaves no trace."""
        half = self.data + ".new"
        shutil.rmtree(half, ignore_errors=True)
        subprocess.run([f"{self.binaries}/initdb", "-D", half, "-A", "trust", "-E", "UTF8",
                        "--locale=C.UTF-8", "-U", self.owner, "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **self.options())
        os.rename(half, self.data)

    def start(self):
        if not os.path.exists(self.data):
            self.initialise()
        settings = {"listen_addresses": "", "unix_socket_directories": self.directory,
                    "unix_socket_permissions": "0700", "max_connections": "200",
                    "log_min_messages": "warning", "shared_buffers": "64MB"}
        if not self.durable:
            settings.update(fsync="off", synchronous_commit="off", full_page_writes="off",
                            max_wal_size="128MB")
        settings.update(self.settings)
        arguments = [f"{self.binaries}/postgres", "-D", self.data]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        log = open(self.log, "ab")
        self.process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd="/",
                                        start_new_session=True, **self.options(),
                                        env={**os.environ, **self.environment})
        log.close()
        self.wait()
        return self

    def wait(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg2.connect(self.url("postgres")).close()
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    with open(self.log, errors="replace") as log:
                        raise RuntimeError("PostgreSQL does not start:\n" + log.read()[-2000:])
                time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        if self.maker:
            self.maker.close()
            self.maker = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def remove(self):
        self.stop()
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database):
        return (f"postgresql://{urllib.parse.quote(self.owner)}@/{database}"
                f"?host={urllib.parse.quote(self.directory)}")

    def make_database(self, name, like="template1"):
        """like: a database that nobody is connected to, to be copied."""
        self.make(f'CREATE DATABASE "{name}" TEMPLATE "{like}"')
        return Database(self.url(name))

    def migrated_by(self, migrate):
        """The name of a database as `envbot migrate` leaves it, made once a server: copying is quicker.
        migrate is given the address of an empty one."""
        if not self.migrated:
            migrate(self.make_database("migrated").url)
            self.migrated = "migrated"
        return self.migrated

    def drop_database(self, name, seconds=60):
        """PostgreSQL gives those that are connected 5 s to end, which a busy machine cannot keep."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.make(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            except psycopg2.errors.ObjectInUse:
                if time.monotonic() > deadline:
                    raise

    def make(self, statement):
        if not self.maker:
            self.maker = psycopg2.connect(self.url("postgres"))
            self.maker.autocommit = True
        with self.maker.cursor() as cursor:
            cursor.execute(statement)


class Database:
    def __init__(self, url):
        self.url = url
        self.kept = threading.local()  # a connection a thread: PostgreSQL takes long to make one

    def query(self, sql, *values):
        """The rows as a list of dicts; [] for a statement without rows."""
        kept = getattr(self.kept, "connection", None)
        if kept:
            try:
                return self.run(kept, sql, values)
            except psycopg2.Error as error:
                if error.pgcode and not kept.closed:
                    raise  # the statement failed, not the connection
        self.kept.connection = None
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        self.kept.connection = connection
        return self.run(connection, sql, values)

    @staticmethod
    def run(connection, sql, values):
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            if cursor.description is None:
                return []
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def close(self):
        """Lets go of this thread's connection; the next query makes another."""
        kept, self.kept.connection = getattr(self.kept, "connection", None), None
        if kept:
            kept.close()

    def one(self, sql, *values):
        rows = self.query(sql, *values)
        return next(iter(rows[0].values())) if rows else None
