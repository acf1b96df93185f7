"""A demo whose database goes away: the real processes, a visitor who goes on clicking, and what is in the databases."""

import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import httpx
import psycopg
import pytest

from neon.local import address
from tests.browser.servers import Demo
from tests.checkpoints.html import Page

# What a visitor may get meanwhile: the answer, the answer by way of a redirect, or in plain words that it is away.
HONEST = {200, 302, 502, 503}
# Where the machine is quick enough, it clicks more often than anybody may.
UNLIMITED = {"USER_ACTIONS_PER_MINUTE": "0", "ADDRESS_ACTIONS_PER_MINUTE": "0"}


@contextmanager
def demo(folder, **variables):
    """Lend the visitor of a demo with its data in *folder*."""
    made = Demo(DATA_DIR=str(folder), **UNLIMITED, **variables)
    try:
        with httpx.Client(base_url=made.url, timeout=60, trust_env=False) as http:
            yield Visitor(http, made)
    finally:
        made.ask_to_stop()
        made.finish()


class Visitor:
    """Somebody signed in to the demo, who clicks on whatever answers come."""

    def __init__(self, http, demo):
        self.http = http
        assert self.http.get(demo.sign_in).status_code == 302
        self.checkpoint = demo.checkpoint.removeprefix(demo.url)

    def status(self, path):
        return self.http.get(path).status_code

    def post(self, path, **fields):
        token = self.http.cookies.get("csrftoken")
        return self.http.post(path, data={"csrfmiddlewaretoken": token} | fields)

    def open(self):
        """Open the checkpoint's page, which brings the token that forms need."""
        answer = self.http.get(self.checkpoint)
        assert answer.status_code == 200, answer.text
        return Page(answer)

    def add(self, name):
        """Add a contact, and return the answer."""
        return self.post(f"{self.checkpoint}contacts/", name=name, email=f"{name}@example.com")

    def act(self, action):
        """Do an action from the checkpoint's page, go to where it leads, and return what is said when it failed."""
        self.open()
        answer = self.post(f"{self.checkpoint}{action}/")
        if answer.status_code == 503:
            return sentences(answer)
        assert answer.status_code == 302, answer.text
        where = answer.headers["Location"]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            answer = self.http.get(where)
            if answer.status_code == 302:
                where = answer.headers["Location"]
            if "/checkpoints/" in where:
                self.checkpoint = where
                return ""
            if answer.status_code == 200 and (alerts := Page(answer).alerts):
                return alerts[0]
            time.sleep(0.1)
        pytest.fail("The action did not end.")

    def ready_after(self, seconds=60):
        """Return how long it takes until the site says that it is ready."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            with suppress(httpx.HTTPError):
                if self.status("/readyz") == 200:
                    return time.monotonic() - begun
            time.sleep(0.1)
        pytest.fail(f"The site is not ready: {self.http.get('/readyz').text}")


@contextmanager
def clicking(visitor, threads=4):
    """Let somebody look and add contacts all the time; lends what was tried, what was confirmed, and all statuses."""
    tried, confirmed, statuses, stop, numbers = set(), set(), [], threading.Event(), count()
    visitor.open()

    def click():
        while not stop.is_set():
            name = f"n{next(numbers)}"
            tried.add(f"{name}@example.com")
            answer = visitor.add(name)
            if answer.status_code == 302:
                confirmed.add(f"{name}@example.com")
            statuses.append(answer.status_code)
            statuses.append(visitor.status(visitor.checkpoint))
            assert visitor.status("/healthz") == 200

    clickers = [threading.Thread(target=click) for _ in range(threads)]
    for clicker in clickers:
        clicker.start()
    try:
        yield tried, confirmed, statuses
    finally:
        stop.set()
        for clicker in clickers:
            clicker.join()


def superuser(folder, database):
    """Connect to a database of the embedded server in *folder*."""
    server = folder / "postgres"
    where = address.address(int((server / "port").read_text()), "postgres", (server / "password").read_text())
    return psycopg.connect(**where, dbname=database, autocommit=True)


def databases(folder):
    """Return how many databases of projects there are: live ones, snapshots, and whatever is left over."""
    with superuser(folder, "postgres") as connection:
        return connection.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'db\\_%'").fetchone()[0]


def contacts(folder):
    """Return the emails in the app databases."""
    with superuser(folder, "postgres") as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'db\\_%' AND datallowconn")
        names = [name for (name,) in names]
    found = set()
    for name in names:
        with superuser(folder, name) as connection:
            found |= {email for (email,) in connection.execute("SELECT email FROM public.contacts")}
    return found


def meta(connection):
    """Return the ids of all users, projects and checkpoints."""
    query = "SELECT id::text FROM {} ORDER BY 1"
    tables = ("auth_user", "checkpoints_project", "checkpoints_checkpoint")
    return {table: connection.execute(query.format(table)).fetchall() for table in tables}


def postmaster(folder):
    """Return the process id of the embedded server."""
    return int((folder / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])


@contextmanager
def small_disk(folder, megabytes):
    """Mount a disk of that size on *folder*, where we may; skip where not."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, check=False, capture_output=True, text=True)
        reason = mounted.stderr.strip()
    except OSError as error:
        reason = str(error)
    if reason:
        pytest.skip(f"No disk can be mounted here: {reason}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Fill the disk of *folder* to the last byte, with a file that can be removed."""
    filling = Path(folder, "filling")
    with suppress(OSError), filling.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(64 * 1024))
    with suppress(OSError), filling.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))
    return filling


def sentences(answer):
    """Return what a page says in its main element."""
    return Page(answer).one(id="main").words
