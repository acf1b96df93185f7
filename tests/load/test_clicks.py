"""Fifty clicks on the same button at once, in several tabs: one run, and everybody sees it."""

import os
import time
from collections import Counter
from functools import partial

import pytest

from checkpoints import runs
from checkpoints.models import Checkpoint, Project, Run
from tests.load.site import at_once

CLICKS, TABS = 50, 5
OPERATIONS = os.environ.get("LOAD_OPERATIONS", "0 1.5").split()
GONE = "gone"

pytestmark = [pytest.mark.scale, pytest.mark.timeout(300)]


class Clicker:
    """Somebody with several tabs, half of them without htmx."""

    def __init__(self, site):
        self.site, self.person = site, site.person()
        session = site.window(self.person).session
        self.tabs = [site.tab(session, htmx=number % 2 == 0) for number in range(TABS)]

    @property
    def project(self):
        return Project.objects.current(self.person)

    @property
    def head(self):
        return Checkpoint.objects.get(pk=self.project.head_id)

    def see(self, tab, path, data):
        """Press a button, and return the checkpoint that it leads to, or that there is no such thing."""
        answer = tab.post(path, **data)
        return GONE if answer.status_code == 404 else tab.follow(answer)

    def click(self, path, **data):
        """Press a button fifty times at once, follow every answer, and return the one run that came of it."""
        before = set(Run.objects.values_list("pk", flat=True))
        data["seen"] = time.time()
        seen = [partial(self.see, self.tabs[number % TABS], path, data) for number in range(CLICKS)]
        led_to = Counter(at_once(*seen))
        (run,) = Run.objects.exclude(pk__in=before)
        assert (run.status, run.error) == ("succeeded", "")
        gone = led_to.pop(GONE, 0) if run.kind == Run.Kind.DELETE else 0  # said to those who come when that is done
        assert led_to == {str(run.result_id): CLICKS - gone}
        self.site.settle()
        return run


@pytest.mark.parametrize("seconds", OPERATIONS)
def test_fifty_clicks_on_a_button_are_one_run(serve, seconds):
    site = serve(NEON_LOCAL_OPERATION_SECONDS=seconds)
    ada = Clicker(site)

    assert ada.click("/start/").kind == Run.Kind.START
    first = ada.head
    assert ada.click(f"/checkpoints/{first.pk}/advance/").kind == Run.Kind.ADVANCE
    second = ada.head
    assert second.parent == first
    ada.tabs[0].add(second.pk, "Somebody New")
    jump = ada.click(f"/checkpoints/{first.pk}/restore/")
    assert (jump.kind, ada.head) == (Run.Kind.RESTORE, first)
    undone = ada.click(f"/runs/{jump.pk}/undo/")
    jump.refresh_from_db()
    assert (undone.kind, ada.head) == (Run.Kind.UNDO, jump.saved)
    assert ada.click(f"/checkpoints/{second.pk}/delete/").kind == Run.Kind.DELETE
    assert set(Checkpoint.objects.all()) == {first, jump.saved}

    failed = runs.begin(owner=ada.person, kind=Run.Kind.RESTORE, project=ada.project, target=first, queue=False)
    failed.fail("That did not work.")
    again = ada.click(f"/runs/{failed.pk}/retry/")
    assert (again.kind, ada.head) == (Run.Kind.RESTORE, first)

    fresh = ada.click("/start/", replace=ada.project.pk)
    assert ada.head == fresh.result
    site.verify()
    print({status: sum(tab.answers[status] for tab in ada.tabs) for status in (200, 302, 404, 409)})
