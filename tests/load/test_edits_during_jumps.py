"""Jumps while others edit: what was said to be saved is kept, and nothing gets where it does not belong."""

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from checkpoints.models import Checkpoint, Project
from contacts import versions
from tests.checkpoints import flows
from tests.load.browser import Failed

JUMPS, EDITORS = int(os.environ.get("LOAD_JUMPS", "8")), 6
OPERATIONS = os.environ.get("LOAD_OPERATIONS", "0 0.3").split()
# One who writes at the very moment after the swap is taken for a restore gone wrong; everything is saved then.
WRITTEN_TO_SINCE = (
    "The restored database differs from its checkpoint."
    " The database is at the checkpoint now, and what it held before is being saved."
)
# So that it takes a while to verify a restore: what is written then would be in the wrong database.
BALLAST = "CREATE TABLE ballast AS SELECT n FROM generate_series(1, 500000) AS n"
FIRST = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}

pytestmark = [pytest.mark.scale, pytest.mark.timeout(300)]


class Editor:
    """Adds one contact after the other, until it is told to stop, and remembers which were said to be saved."""

    def __init__(self, name):
        self.name = name
        self.saved, self.tried = set(), 0

    def edit(self, stop):
        while not stop.is_set():
            self.tried += 1
            if name := self.add(f"{self.name} {self.tried}"):
                self.saved.add(name)


class Tab(Editor):
    """One at the site, on the page of one of the checkpoints, wherever the database is."""

    def __init__(self, name, window, pages):
        super().__init__(name)
        self.window, self.pages = window, pages

    def add(self, name):
        page = random.choice(self.pages)
        return self.window.add(page, f"{name} on {page}") and f"{name} on {page}"


class Psql(Editor):
    """One who knows the connection string, and is thrown out by each jump."""

    def __init__(self, name, uri):
        super().__init__(name)
        self.uri = uri

    def add(self, name):
        try:
            with psycopg.connect(self.uri, autocommit=True, connect_timeout=5) as app_database:
                app_database.execute(
                    "INSERT INTO contacts (name, email) VALUES (%s, %s)", [name, f"{name}@example.com"]
                )
        except psycopg.Error:
            return None  # whether it was committed, nobody has said
        time.sleep(0.005)
        return name


@pytest.mark.parametrize("editors", ["site", "psql"])
@pytest.mark.parametrize("seconds", OPERATIONS)
def test_every_edit_that_was_said_to_be_saved_is_kept(serve, seconds, editors):
    site = serve(NEON_LOCAL_OPERATION_SECONDS=seconds, SAFETY_CHECKPOINTS=100)
    person = site.person()
    jumper = site.window(person)
    first = jumper.act("/start/")
    project = Project.objects.get()
    flows.execute(project.database_url, BALLAST)
    second = jumper.act(f"/checkpoints/{first}/advance/")
    third = jumper.act(f"/checkpoints/{second}/advance/")
    if editors == "site":
        session = jumper.session
        crowd = [Tab(f"Tab {n}", site.tab(session, htmx=n % 2 == 0), [second, third]) for n in range(EDITORS)]
    else:
        crowd = [Psql(f"Psql {n}", project.database_url) for n in range(EDITORS)]

    stop, differed = threading.Event(), 0
    with ThreadPoolExecutor(EDITORS) as threads:
        editing = [threads.submit(each.edit, stop) for each in crowd]
        try:
            for number in range(JUMPS):
                time.sleep(random.uniform(0.05, 0.3))
                try:
                    jumper.act(f"/checkpoints/{[second, third][number % 2]}/restore/")
                except Failed as error:
                    if editors == "site" or str(error) != WRITTEN_TO_SINCE:
                        raise
                    differed += 1
        finally:
            stop.set()
        for each in editing:
            each.result()

    site.verify()
    saved = set().union(*(each.saved for each in crowd))
    kept = everything(project)
    # What a prompt has recorded is what it was when it was made, whatever happened since.
    for checkpoint in (first, second, third):
        assert kept.pop(Checkpoint.objects.get(pk=checkpoint)) == FIRST
    places = Counter(name for names in kept.values() for name in names - FIRST)
    assert saved <= set(places)
    assert set(places.values()) <= {1}
    if editors == "site":  # each is where it belongs: below the checkpoint of the page that it was made on
        astray = {
            (name, str(place.parent_id))
            for place, names in kept.items()
            for name in names - FIRST
            if not name.endswith(str(place.parent_id))
        }
        assert not astray
    assert sum(each.tried for each in crowd) > len(saved) > 0
    print(
        f"{JUMPS} jumps among {sum(each.tried for each in crowd)} edits by {editors}, operations of {seconds} s:"
        f" {len(saved)} said to be saved, all found; {len(set(places) - saved)} more found; {len(kept) - 1} places;"
        f" {differed} jumps found the database written to before they could verify it"
    )


def everything(project):
    """Return the contacts' names in the database as it is now, and in every checkpoint, each of which is restored."""
    project.refresh_from_db()
    version = versions.FIRST  # which every version has the names of
    now = Checkpoint(parent_id=project.head_id)
    found = {now: set(flows.people(project, version.name))}
    flows.execute(project.database_url, "TRUNCATE contacts")
    for checkpoint in project.checkpoints.all():
        assert flows.restore(checkpoint, unsaved=True).status == "succeeded"
        found[checkpoint] = set(flows.people(project, version.name))
    return found
