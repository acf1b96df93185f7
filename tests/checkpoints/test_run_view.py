"""A run's progress: GET /runs/<id>/."""

import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from checkpoints import runs
from checkpoints.models import Run
from checkpoints.views import pages
from contacts import paging, versions
from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def run(started, head):
    """A restore that nobody has taken yet."""
    return runs.begin(owner=started, kind=Run.Kind.RESTORE, project=head.project, target=head)


def url(run):
    return f"/runs/{run.pk}/"


def test_progress_is_a_page_that_refreshes_itself(owner, run):
    page = Page(owner.get(url(run)))
    assert page.headings == ["Progress", "Restoring the checkpoint"]
    assert page.one("meta", **{"http-equiv": "refresh"})["content"] == "1"
    assert [item.words for item in page.all("li", class_="waiting")] == [
        "Look for changes since the checkpoint: waiting",
        "Restore the snapshot: waiting",
        "Compare with the checkpoint: waiting",
        "Record where the database is: waiting",
    ]


def test_progress_is_a_fragment_that_polls_itself(owner, run, impatient):
    response = owner.get(url(run), headers=HTMX)
    page = Page(response)
    assert not page.is_whole
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#run", "outerHTML")
    assert page.elements[0]["hx-get"] == url(run)
    assert "load" in page.elements[0]["hx-trigger"]


def test_steps_show_their_state_and_seconds(owner, run, impatient):
    began = timezone.now()
    run.begin()
    run.steps[0] |= {
        "state": "done",
        "started": began.isoformat(),
        "finished": (began + timedelta(seconds=1.25)).isoformat(),
    }
    run.steps[1] |= {"state": "running", "started": began.isoformat()}
    run.save()
    page = Page(owner.get(url(run), headers=HTMX))
    assert page.one("li", class_="done").words == "Look for changes since the checkpoint: done 1.3 s"
    assert page.one("li", class_="running").words == "Restore the snapshot: running"
    assert "Restore the snapshot, step 2 of 4" in [element.words for element in page.all("p")]


def test_a_run_that_no_worker_takes_says_so(owner, run, impatient):
    Run.objects.update(created_at=timezone.now() - timedelta(seconds=4))
    page = Page(owner.get(url(run), headers=HTMX))
    assert "No worker is running. The action starts as soon as one does." in [p.words for p in page.all("p")]
    assert page.elements[0]["hx-get"] == url(run)


def test_a_run_that_has_succeeded_leads_to_its_result(owner, run, head):
    runs.execute(run.pk)
    assert owner.get(url(run))["Location"] == f"/checkpoints/{head.pk}/"


def test_htmx_gets_the_result_and_its_address(owner, run, head):
    runs.execute(run.pk)
    response = owner.get(url(run), headers=HTMX)
    assert response["HX-Push-Url"] == f"/checkpoints/{head.pk}/"
    assert response["HX-Retarget"] == "#main"
    assert Page(response).headings[0] == "Checkpoint v1"


def test_a_result_that_is_gone_leads_home(owner, run, head):
    runs.execute(run.pk)
    Run.objects.update(result=None)
    assert owner.get(url(run))["Location"] == "/"


def test_htmx_whose_result_is_gone_goes_home_as_well(owner, run):
    runs.execute(run.pk)
    Run.objects.update(result=None)
    response = owner.get(url(run), headers=HTMX, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert response["HX-Retarget"] == "#main"


def test_a_failed_run_says_so_and_can_be_tried_again(owner, run, head):
    run.fail("Neon cannot be reached right now. The database is as it was.", detail="Unreachable: secret")
    response = owner.get(url(run))
    page = Page(response)
    assert page.headings == ["Progress", "That did not work"]
    assert page.alerts == ["Neon cannot be reached right now. The database is as it was."]
    assert page.one("form", action=f"{url(run)}retry/")["method"] == "post"
    assert page.one("a", class_="button")["href"] == f"/checkpoints/{head.pk}/"
    assert not page.all("meta", **{"http-equiv": "refresh"})
    assert "secret" not in response.content.decode()


def test_a_run_that_cannot_be_tried_again_is_only_closed(owner, run, head):
    run.fail("The database has moved.", remedy=Run.Remedy.NONE)
    page = Page(owner.get(url(run)))
    assert not page.all("form", action=f"{url(run)}retry/")
    assert "Try again" not in page.labels
    assert page.one("a", class_="button")["href"] == f"/checkpoints/{head.pk}/"


def test_a_run_whose_project_is_gone_offers_to_start_the_demo(owner, run, project):
    run.fail("Neon no longer has this project.", remedy=Run.Remedy.START)
    for headers in ({}, HTMX):
        page = Page(owner.get(url(run), headers=headers))
        assert "Try again" not in page.labels
        form = page.one("form", action="/start/")
        assert (form["method"], form["hx-post"]) == ("post", "/start/")
        assert "Start demo" in page.labels
    assert "Delete and start again" in Page(owner.post("/start/")).labels  # the key may only be another account's


def test_a_failed_run_does_not_poll(owner, run):
    run.fail("No.")
    page = Page(owner.get(url(run), headers=HTMX))
    assert page.elements[0]["hx-get"] is page.elements[0]["hx-trigger"] is None


def test_a_failed_start_can_be_closed(user, client_of):
    run = runs.begin(owner=user, kind=Run.Kind.START)
    run.fail("No.")
    assert Page(client_of(user).get(url(run))).one("a", class_="button")["href"] == "/"


def test_a_stranger_gets_404(stranger, run):
    assert stranger.get(url(run)).status_code == 404


def test_an_unknown_run_is_404(owner):
    assert owner.get(f"/runs/{uuid.uuid4()}/").status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_back(client, run):
    assert client.get(url(run))["Location"] == f"/accounts/login/?next={url(run)}"


def test_other_methods_are_refused(owner, run):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(owner, method)(url(run)).status_code == 405, method


@pytest.mark.parametrize(("headers", "asked"), [(HTMX, 1), ({}, 0)])
def test_a_restored_database_is_connected_to_while_it_is_compared(owner, head, monkeypatch, headers, asked):
    questions = []

    def wait(run, seconds, *, at_step, **options):
        for prepare in at_step.values():
            prepare()

    monkeypatch.setattr(runs, "wait", wait)
    monkeypatch.setattr(pages, "threads", SimpleNamespace(submit=lambda *question: questions.append(question)))
    owner.post(f"{head.get_absolute_url()}restore/", headers=headers)
    assert questions == [(paging.read, head.project.database_url, versions.FIRST)] * asked


@pytest.mark.parametrize("how", ["poll", "click"])
def test_a_run_that_ends_just_before_it_is_read_leads_to_its_result(owner, run, head, monkeypatch, how):
    def wait(begun, seconds, **options):
        Run.objects.filter(pk=run.pk).update(status="succeeded", result=head)

    monkeypatch.setattr(runs, "wait", wait)
    if how == "poll":
        response = owner.get(url(run), headers=HTMX)
    else:
        response = owner.post(f"{head.get_absolute_url()}restore/", headers=HTMX)
    assert response["HX-Push-Url"] == head.get_absolute_url()
    assert response["HX-Retarget"] == "#main"
