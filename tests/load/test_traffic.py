"""Mixed traffic for a while: no error, and neither memory nor anything else grows that should not."""

import os
import random
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from checkpoints.models import Project, Run
from tests.load.site import sessions
from tests.waiting import until

USERS = 20
SECONDS = float(os.environ.get("LOAD_SECONDS", "45"))
# What a person takes to look at a page.
PAUSE = (0.2, 1.5)
WARM_UP = 0.3
GROWTH = 1.10
# In both processes: the idle ones to app databases, and for each thread one to the meta database, and one or two to an
# app database, to the plane, for a lock; half of what the embedded server allows.
MOST_CONNECTIONS = 150
# Until then the idle connections that both processes keep still become more.
LONG = 300

pytestmark = [pytest.mark.scale, pytest.mark.timeout(SECONDS + 240)]


class Somebody:
    """One who does this and that with a demo of their own, and knows what must be in it."""

    def __init__(self, number, window):
        self.number, self.window, self.random = number, window, random.Random(number)
        self.done = Counter()
        self.added = 0
        self.slowest = Counter()

    def live(self, until):
        """Start, and do something again and again until the time is over."""
        self.start()
        while time.monotonic() < until:
            time.sleep(self.random.uniform(*PAUSE))
            what = self.random.choices(*zip(*WHAT, strict=True))[0]
            begun = time.monotonic()
            what(self)
            name = what.__name__
            self.slowest[name] = max(self.slowest[name], time.monotonic() - begun)
            self.done[name] += 1

    def start(self):
        """Start the demo, again when there is one, by the way of the question."""
        asked = self.window.post("/start/")
        if "Start again?" in asked.text:
            replace = asked.text.partition('name="replace" value="')[2][:36]
            self.here = self.window.act("/start/", replace=replace)
        else:
            self.here = self.window.follow(asked)
        self.tree, self.version, self.jump = {self.here: 1}, 1, None
        self.names = self.look()

    def look(self):
        """Look at the page, which must say what is there."""
        self.names = set(self.window.contacts(self.here))
        return self.names

    def look_around(self):
        """Open the tabs, another checkpoint's page, and home."""
        for tab in ("app", "meta", "schema"):
            assert self.window.get(f"/checkpoints/{self.here}/?tab={tab}").status_code == 200
        assert self.window.get(f"/checkpoints/{self.random.choice([*self.tree])}/").status_code == 200
        assert self.window.get("/").status_code == 200

    def changes(self):
        """See what has changed."""
        assert self.window.get(f"/checkpoints/{self.here}/changes/").status_code == 200

    def add(self):
        """Add a contact that nobody else has."""
        self.added += 1
        name = f"Contact {self.added} of {self.number}"
        assert self.window.add(self.here, name)
        self.names.add(name)
        assert self.look() >= {name}

    def edit(self):
        """Give a contact another email."""
        name, id = self.random.choice([*self.window.contacts(self.here).items()] or [(None, None)])
        if id:
            self.added += 1
            path = f"/checkpoints/{self.here}/contacts/{id}/edit/"
            assert self.window.get(path).status_code == 200
            email = f"edit-{self.added}-{self.number}@example.com"
            assert self.window.saved(self.window.post(path, name=name, email=email))

    def delete(self):
        """Delete a contact."""
        name, id = self.random.choice([*self.window.contacts(self.here).items()] or [(None, None)])
        if id:
            assert self.window.saved(self.window.post(f"/checkpoints/{self.here}/contacts/{id}/delete/"))
            assert name not in self.look()

    def advance(self):
        """Make the next checkpoint, if there is one."""
        if self.version < 3:
            before = set(self.names)
            self.here = self.window.act(f"/checkpoints/{self.here}/advance/")
            self.version += 1
            self.tree[self.here] = self.version
            assert self.look() == before
            self.jump = None

    def jump_elsewhere(self):
        """Jump to another checkpoint."""
        if others := [each for each in self.tree if each != self.here]:
            self.jump = (self.version, self.look())
            self.here = self.window.act(f"/checkpoints/{self.random.choice(others)}/restore/")
            self.version = self.tree[self.here]
            self.look()

    def undo(self):
        """Undo the last jump: what was there is back."""
        page = self.window.get(f"/checkpoints/{self.here}/").text
        if self.jump and "/undo/" in page:
            path = page.partition("/undo/")[0].rpartition('"')[2] + "/undo/"
            self.here = self.window.act(path)  # not remembered to be jumped to: it may be pruned later on
            assert self.look() == self.jump[1]
            self.version = self.jump[0]
            self.jump = None


WHAT = [
    (Somebody.look_around, 20),
    (Somebody.changes, 10),
    (Somebody.add, 15),
    (Somebody.edit, 8),
    (Somebody.delete, 6),
    (Somebody.advance, 8),
    (Somebody.jump_elsewhere, 12),
    (Somebody.undo, 6),
    (Somebody.start, 1),
]


class Measured:
    """Memory, files, threads and connections of web server and worker, from time to time."""

    def __init__(self, site, every):
        self._processes = {"web": site.web.pid, "worker": site.workers[0].pid}
        self._every, self.samples = every, []
        self._begun = time.monotonic()

    def watch(self, stop):
        while not stop.wait(self._every):
            self.look()

    def look(self):
        sample = {"seconds": round(time.monotonic() - self._begun), "connections": sessions()}
        for name, leader in self._processes.items():
            family = [leader, *descendants(leader)]
            sample[f"{name} MB"] = sum(map(memory, family)) / 2**20
            sample[f"{name} files"] = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in family)
            sample[f"{name} threads"] = sum(len(os.listdir(f"/proc/{pid}/task")) for pid in family)
        self.samples.append(sample)

    def early_and_late(self, what):
        """Return the medians after the warm-up and at the end."""
        values = [sample[what] for sample in self.samples]
        warm = values[int(len(values) * WARM_UP) :]
        third = max(1, len(warm) // 3)
        return statistics.median(warm[:third]), statistics.median(warm[-third:])


def descendants(pid):
    """Return the processes that a process has started, and those that they have."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(each for child in children for each in descendants(child))]


def memory(pid):
    """Return a process's memory in bytes, shared pages by their share."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024


def test_nothing_grows_and_nothing_fails(serve):
    site = serve()
    files, others = set(settings.DATA_DIR.iterdir()), sessions("db_")  # of tests that ran before, in this process
    crowd = [Somebody(number, site.window(site.person(), htmx=number % 3 > 0)) for number in range(USERS)]
    measured, stop = Measured(site, max(1.0, SECONDS / 60)), threading.Event()
    with ThreadPoolExecutor(USERS + 1) as threads:
        watching = threads.submit(measured.watch, stop)
        try:
            living = [threads.submit(each.live, time.monotonic() + SECONDS) for each in crowd]
            for each in living:
                each.result()
        finally:
            stop.set()
        watching.result()

    site.verify()
    for person, each in zip(site.people, crowd, strict=True):
        assert str(Project.objects.get(owner=person).head_id) == each.here
    assert not Run.objects.exclude(status="succeeded").exists()
    report(crowd, measured)
    for name in ("web MB", "worker MB"):
        early, late = measured.early_and_late(name)
        assert late < early * GROWTH, (name, measured.samples)
    assert max(sample["connections"] for sample in measured.samples) < MOST_CONNECTIONS
    if SECONDS >= LONG:
        for name in ("web files", "worker files", "web threads", "worker threads", "connections"):
            early, late = measured.early_and_late(name)
            # A pool of threads fills as it is used: one more is no leak.
            assert late <= max(early * GROWTH, early + 1), (name, measured.samples)
    site.stop()
    until(lambda: sessions("db_") <= others)
    assert set(settings.DATA_DIR.iterdir()) == files
    assert not any(site.temporary.iterdir())


def report(crowd, measured):
    """Print the figures."""
    done, slowest, answers = Counter(), Counter(), Counter()
    for each in crowd:
        done += each.done
        answers += each.window.answers
        for name, seconds in each.slowest.items():
            slowest[name] = max(slowest[name], seconds)
    print(f"\n{USERS} people for {SECONDS:.0f} s: {sum(answers.values())} requests, by status {dict(answers)}")
    print(", ".join(f"{count} {name}, at most {slowest[name]:.1f} s" for name, count in done.most_common()))
    for name in measured.samples[0]:
        early, late = measured.early_and_late(name)
        print(f"{name}: {early:.1f} after the warm-up, {late:.1f} at the end")
