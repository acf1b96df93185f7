"""Many people, each of whom starts, advances twice and jumps, all at the same time."""

import os
import time

import psycopg
import pytest

from checkpoints.models import Project, Run
from tests.load.site import at_once, is_as_recorded

USERS = int(os.environ.get("LOAD_USERS", "12"))
JUMPS = (1, 3, 2, 1, 3)
FIRST = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
COLUMNS = {1: 3, 2: 5, 3: 6}

pytestmark = [pytest.mark.scale, pytest.mark.timeout(600)]


class Somebody:
    """One of the crowd, who adds a contact at each version that nobody else has."""

    def __init__(self, number, window):
        self.number, self.window = number, window
        self.checkpoints, self.holds = {}, {}
        self.slowest = 0.0

    def mark(self, version):
        return f"Mark of {self.number} at {version}"

    def act(self, path):
        begun = time.monotonic()
        checkpoint = self.window.act(path)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        return checkpoint

    def live(self):
        """Go through everything, and look at each page whether it is one's own and nobody else's."""
        path, holds = "/start/", set(FIRST)
        for version in (1, 2, 3):
            checkpoint = self.checkpoints[version] = self.act(path)
            self.holds[version] = set(holds)
            self.sees(version)
            assert self.window.add(checkpoint, self.mark(version))
            holds.add(self.mark(version))
            path = f"/checkpoints/{checkpoint}/advance/"
        for version in JUMPS:
            self.act(f"/checkpoints/{self.checkpoints[version]}/restore/")
            self.sees(version)

    def sees(self, version):
        assert set(self.window.contacts(self.checkpoints[version])) == self.holds[version]


def test_each_keeps_to_their_own_database(serve):
    site = serve()
    crowd = [Somebody(number, site.window(site.person(), htmx=number % 3 > 0)) for number in range(USERS)]
    begun = time.monotonic()
    at_once(*(each.live for each in crowd))
    seconds = time.monotonic() - begun

    site.verify()
    for person, each in zip(site.people, crowd, strict=True):
        project = Project.objects.select_related("head").get(owner=person)
        assert str(project.head_id) == each.checkpoints[JUMPS[-1]]
        assert is_as_recorded(project)
        with psycopg.connect(project.database_url) as app_database:
            cursor = app_database.execute("SELECT * FROM contacts")
            assert len(cursor.description) == COLUMNS[JUMPS[-1]]
            names = {row[1] for row in cursor}
        assert names == each.holds[JUMPS[-1]]
        # What was added at v3 after its snapshot is where the first jump has saved it.
        saved = project.checkpoints.get(kind="safety")
        assert saved.fingerprint["tables"]
        each.act(f"/checkpoints/{saved.pk}/restore/")
        assert set(each.window.contacts(saved.pk)) == each.holds[3] | {each.mark(3)}
    site.verify()
    assert not Run.objects.exclude(status="succeeded").exists()
    print(
        f"{USERS} people: {USERS * (3 + len(JUMPS))} actions in {seconds:.1f} s,"
        f" the slowest took {max(each.slowest for each in crowd):.1f} s,"
        f" the longest queue was {max((place for each in crowd for place in each.window.places), default=0)}"
    )
