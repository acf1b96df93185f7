"""The home page."""

from checkpoints import runs
from checkpoints.models import Run
from tests.checkpoints.html import HTMX, Page


def test_a_visitor_is_asked_to_sign_in(client, db):
    page = Page(client.get("/"))
    assert page.one("a", href="/accounts/login/?next=/").words == "Sign in to start demo"
    assert "Start demo" not in page.labels
    assert "Continue" not in page.labels


def test_a_user_without_a_project_can_start(user, client_of):
    page = Page(client_of(user).get("/"))
    assert "Start demo" in page.labels
    assert page.one("form", action="/start/")["method"] == "post"
    assert "Sign in to start demo" not in page.labels
    assert "Continue" not in page.labels


def test_a_user_with_a_project_can_go_on(owner, head):
    page = Page(owner.get("/"))
    assert page.one("a", href=f"/checkpoints/{head.pk}/", class_="button primary").words == "Continue"
    assert "Start demo" in page.labels


def test_somebody_elses_project_is_not_offered(started, stranger):
    assert "Continue" not in Page(stranger.get("/")).labels


def test_the_first_prompt_and_all_versions_are_shown(client, db):
    page = Page(client.get("/"))
    assert page.one("p", class_="prompt").words == "Create a contact list app with name and email"
    assert [element.words for element in page.all("span", class_="version")] == ["v1", "v2", "v3"]


def test_it_answers_with_the_app_database_down(owner, database_down):
    assert owner.get("/").status_code == 200


def test_a_run_at_work_is_shown(user, client_of):
    run = runs.begin(owner=user, kind=Run.Kind.START)
    page = Page(client_of(user).get("/"))
    assert page.one(id="run")["hx-get"] == f"/runs/{run.pk}/"


def test_htmx_gets_the_page(client, db):
    response = client.get("/", headers=HTMX)
    assert [element.tag for element in Page(response).elements[:2]] == ["title", "main"]
    assert response["HX-Retarget"] == "#main"


def test_other_methods_are_refused(client, db):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(client, method)("/").status_code == 405, method


def test_htmx_is_told_to_keep_no_copies_of_pages(client, db):
    assert Page(client.get("/")).one("body")["hx-history"] == "false"
