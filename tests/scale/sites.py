"""Two meta databases: one with a page of each list in it, and one that holds what ten thousand users have made."""

import json
import re
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from checkpoints.models import Checkpoint, Project, Run
from neon.local import postgres
from tests.speed import MEASUREMENTS

FILL = (Path(__file__).parent / "fill.sql").read_text(encoding="utf-8")
# As many as a page of the admin lists: what takes time there should be the rows that are not on it.
PAGE = 25
PROJECTS = 10_000 - PAGE
TABLES = "('checkpoints_project', 'checkpoints_checkpoint', 'checkpoints_run')"
# What is on the tables is taken off while they are filled, which takes a third of the time then.
CONSTRAINTS = f"""
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid::regclass::text IN {TABLES} AND contype IN ('f', 'p', 'u') ORDER BY contype
"""
INDICES = f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN {TABLES}"
# Queries for rows: the ORM's, and those in files, which begin with a comment.
OF_ROWS = re.compile(r'(?:--[^\n]*\n)*(?:SELECT|WITH) .* FROM (?:"|checkpoints_)', re.DOTALL)
# What a machine that is busy with something else adds to either side.
NOISE_SECONDS = 0.005


class Site:
    """A meta database, and who is signed in at it."""

    def __init__(self, name):
        self.name = name
        self.browsers = {}
        self.connection = connection.copy()
        self.connection.settings_dict["NAME"] = name

    @contextmanager
    def visited(self):
        """Let everything that asks the meta database ask this one."""
        before = connections["default"]
        connections["default"] = self.connection
        try:
            yield self
        finally:
            connections["default"] = before

    def browser(self, username):
        """Return the browser of a user who is signed in here."""
        if username not in self.browsers:
            self.browsers[username] = Client()
            self.browsers[username].force_login(User.objects.get(username=username))
        return self.browsers[username]


def on_server(statement, *names):
    """Run a statement as the superuser, with the names put in as identifiers."""
    with psycopg.connect(**postgres.server().address(), dbname="postgres", autocommit=True) as superuser:
        superuser.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def begin(database):
    """Make what both sites have: Ada with three checkpoints, who runs the site, and runs that have something left."""
    User.objects.create_superuser("root", "root@example.com")
    ada = User.objects.create_user("ada@example.com", "ada@example.com")
    project = Project.objects.create(
        owner=ada, name="Ada's", neon_project_id=database.project_id, database_url=database.uri
    )
    for number in range(3):
        project.head = Checkpoint.objects.create(
            project=project, parent=project.head, prompt="Add more", version="v1", snapshot_id=f"snap-ada-{number}"
        )
    project.save()
    new = {"project": project, "target": project.head, "result": project.head}
    for state in ({}, {"leftover": {"branches": []}}, {"unsure": "br-1"}):
        Run.objects.create(owner=ada, kind="restore", status="succeeded", state=state, **new)
    Run.objects.create(owner=ada, kind="advance", status="failed", state={"remedy": "room"}, project=project)
    for number in range(3):
        waiting = User.objects.create_user(f"waiting-{number}@example.com")
        Run.objects.create(owner=waiting, kind="start", status="running")


def fill(first, last):
    """Make what the users of these numbers have made."""
    url = Project.objects.first().database_url
    numbers = {"first": first, "last": last, "url": Project._meta.get_field("database_url").get_prep_value(url)}
    with connection.cursor() as cursor, bare(cursor):
        cursor.execute(FILL, numbers)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


@contextmanager
def bare(cursor):
    """Take indices and constraints off the tables, and put them back on in the end."""
    cursor.execute(CONSTRAINTS)
    constraints = cursor.fetchall()
    for table, name, _ in constraints:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    cursor.execute(INDICES)
    indices = cursor.fetchall()
    for name, _ in indices:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, definition in indices:
        cursor.execute(definition)
    for table, name, definition in reversed(constraints):
        unchecked = " NOT VALID" if definition.startswith("FOREIGN KEY") else ""
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}{unchecked}')


@contextmanager
def made(database):
    """Lend both sites."""
    small, full = Site("test_checkpoints_small_site"), Site("test_checkpoints_full_site")
    try:
        on_server("CREATE DATABASE {}", small.name)
        with small.visited():
            call_command("migrate", verbosity=0)
            begin(database)
            fill(PROJECTS + 1, PROJECTS + PAGE)
        small.connection.close()
        on_server("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", full.name, small.name)
        with full.visited():
            fill(1, PROJECTS)
        yield small, full
    finally:
        for site in (small, full):
            site.connection.close()
            on_server("DROP DATABASE IF EXISTS {} WITH (FORCE)", site.name)


def compare(small, full, act, *, full_act=None, rounds=7):
    """Return the medians of how long something takes at the small and at the full site, measured in turns.

    Other tests run at the same time: what is more than twice is measured again.
    """
    for _ in range(MEASUREMENTS):
        times = {small: [], full: []}
        for number in range(rounds + 1):
            for site, do in ((small, act), (full, full_act or act)):
                with site.visited():
                    begun = time.perf_counter()
                    do(site)
                    if number:  # the first is to warm up
                        times[site].append(time.perf_counter() - begun)
        medians = median(times[small]), median(times[full])
        if is_within_twice(medians):
            break
    return medians


def is_within_twice(seconds):
    """Tell whether the full site takes at most twice as long as the small one."""
    return seconds[1] <= 2 * seconds[0] + NOISE_SECONDS


class Reading:
    """What a query reads: how many rows, by which indices."""

    def __init__(self, statement):
        self.statement, self.rows, self.indices, self.nodes = statement, 0, set(), []
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
            plan = cursor.fetchone()[0]
        self._add((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])

    def __repr__(self):
        return f"{self.rows:.0f} rows by {self.nodes}: {self.statement}"

    def _add(self, node):
        index = node.get("Index Name", "")
        self.indices.add(index)
        if table := node.get("Relation Name"):
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            rows = (node["Actual Rows"] + removed) * node["Actual Loops"]
            self.nodes.append(f"{node['Node Type']} {index} {table} {rows:.0f}")
            self.rows += rows
        for child in node.get("Plans", []):
            self._add(child)


def readings(act):
    """Do something, and return what each of its queries for rows reads, the most first."""
    with CaptureQueriesContext(connection) as captured:
        act()
    queries = [query["sql"] for query in captured if OF_ROWS.match(query["sql"])]
    return sorted(map(Reading, queries), key=lambda reading: -reading.rows)
