"""Start: POST /start/."""

import uuid

import httpx
import pytest
import respx
from procrastinate.contrib.django.models import ProcrastinateJob

from checkpoints.models import Project, Run
from neon import service as neon
from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def browser(user, client_of):
    yield client_of(user)
    for neon_project_id in user.projects.values_list("neon_project_id", flat=True):
        neon.connect().delete_project(neon_project_id)


def test_a_start_leads_to_the_first_checkpoint(browser, user, working):
    response = browser.post("/start/", follow=True)
    head = Project.objects.current(user).head
    run = Run.objects.get()
    assert response.redirect_chain == [(f"/runs/{run.pk}/", 302), (f"/checkpoints/{head.pk}/", 302)]
    assert Page(response).headings[0] == "Checkpoint v1"


def test_htmx_gets_the_checkpoints_page_and_its_address(browser, user, working):
    response = browser.post("/start/", headers=HTMX)
    head = Project.objects.current(user).head
    assert Page(response).headings[0] == "Checkpoint v1"
    assert response["HX-Push-Url"] == f"/checkpoints/{head.pk}/"
    assert response["HX-Retarget"] == "#main"


def test_without_a_worker_yet_the_progress_is_shown(browser, impatient):
    response = browser.post("/start/", headers=HTMX)
    page = Page(response)
    run = Run.objects.get()
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#overlay", "innerHTML")
    assert page.one(id="run")["hx-get"] == f"/runs/{run.pk}/"
    assert page.headings == ["Starting the demo"]
    assert len(page.all("li", class_="waiting")) == 4


def test_without_htmx_the_progress_is_a_page(browser, impatient):
    response = browser.post("/start/", follow=True)
    page = Page(response)
    assert page.is_whole
    assert page.one("meta", **{"http-equiv": "refresh"})["content"] == "1"
    assert page.headings == ["Progress", "Starting the demo"]


def test_the_run_is_queued_with_its_row(browser, impatient):
    browser.post("/start/")
    assert ProcrastinateJob.objects.get().args == {"run_id": str(Run.objects.get().pk)}


def test_a_second_click_shows_the_running_one(browser, impatient):
    first = browser.post("/start/")
    assert browser.post("/start/")["Location"] == first["Location"]
    assert Run.objects.count() == 1


def test_it_asks_before_it_deletes(owner, project):
    response = owner.post("/start/")
    page = Page(response)
    assert response.status_code == 200
    assert page.headings == ["Start again?"]
    assert page.one("p", class_="lead").words == (
        f"This deletes {project.name}, its 1 checkpoint and all contacts in it, for good."
    )
    assert {"Delete and start again", "Keep my project"} <= set(page.labels)
    assert page.one("input", name="replace")["value"] == str(project.pk)
    assert Run.objects.unfinished().count() == 0


def test_htmx_is_asked_in_place_of_the_page(owner, project):
    response = owner.post("/start/", headers=HTMX)
    assert response["HX-Retarget"] == "#main"
    assert "Delete and start again" in Page(response).labels


def test_who_agrees_gets_a_new_project(owner, project, started, working):
    response = owner.post("/start/", {"replace": project.pk}, follow=True)
    new = Project.objects.get(owner=started)
    assert new.pk != project.pk
    assert response.redirect_chain[-1][0] == f"/checkpoints/{new.head_id}/"


def test_who_agreed_to_something_else_is_asked_again(owner, project):
    for replace in ("", "junk", "\x00", "a" * 10_000, str(uuid.uuid4())):
        response = owner.post("/start/", {"replace": replace})
        assert Page(response).headings == ["Start again?"], replace
    assert Run.objects.unfinished().count() == 0


def test_a_neon_that_is_down_changes_nothing_and_can_be_tried_again(owner, project, started, working, settings):
    settings.NEON_API_KEY = "napi_secret"
    neon.connect.cache_clear()
    try:
        with respx.mock(base_url=settings.NEON_API_URL) as api:
            api.post("/projects").mock(return_value=httpx.Response(503, json={"message": "down"}))
            response = owner.post("/start/", {"replace": project.pk}, follow=True)
    finally:
        neon.connect.cache_clear()
    page = Page(response)
    assert response.status_code == 200
    assert page.alerts == ["Neon has a fault on its side. Try again later. Nothing was changed."]
    assert "Try again" in page.labels
    assert Project.objects.get(owner=started) == project


def test_a_visitor_is_sent_to_sign_in_and_then_home(client, db):
    response = client.post("/start/")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login/?next=/")


def test_other_methods_are_refused(browser):
    for method in ["get", "head", "put", "patch", "delete"]:
        assert getattr(browser, method)("/start/").status_code == 405, method
