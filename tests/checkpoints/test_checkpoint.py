"""A checkpoint's page."""

import threading
import time
import uuid

import pytest
from django.contrib.auth.models import User

from checkpoints import runs
from checkpoints.models import Checkpoint, Run
from checkpoints.models.runs import RunQuerySet
from checkpoints.models.timeline import SHOWN
from contacts import queries
from tests.checkpoints.html import HTMX, TAB, Page
from tests.speed import slowness


def url(checkpoint):
    return f"/checkpoints/{checkpoint.pk}/"


def seconds(browser, url):
    """How long a page takes."""
    begun = time.perf_counter()
    browser.get(url)
    return time.perf_counter() - begun


def children(parent, count):
    """A line of *count* checkpoints after *parent*."""
    for _ in range(count):
        parent = Checkpoint.objects.create(
            project=parent.project, parent=parent, prompt="Add more", version="v2", snapshot_id="snap-made-up"
        )


def test_the_head_shows_its_prompt_its_contacts_and_the_next_prompt(owner, head):
    response = owner.get(url(head))
    page = Page(response)
    assert response.status_code == 200
    assert page.one("title").words == ("v1: Create a contact list app with name and email · Snapshots as Checkpoints")
    assert page.headings == ["Checkpoint v1", "prompt", "next prompt"]
    assert [element.words for element in page.all("p", class_="prompt")] == [
        "Create a contact list app with name and email"
    ]
    assert page.one("p", class_="prompt next").words == "Add role and company"
    assert [element.words for element in page.all("span", class_="name")] == [
        "Ada Lovelace",
        "Alan Turing",
        "Grace Hopper",
    ]


def test_the_first_checkpoint_offers_only_the_next(owner, head):
    labels = Page(owner.get(url(head))).labels
    assert "Create next checkpoint" in labels
    assert not {"Revert back", "Next checkpoint", "Create next checkpoint from here"} & set(labels)


def test_a_middle_checkpoint_offers_both_directions(owner, grown):
    labels = Page(owner.get(url(grown.second))).labels
    assert {"Revert back", "Create next checkpoint"} <= set(labels)
    assert not {"Next checkpoint", "Create next checkpoint from here"} & set(labels)


def test_the_last_checkpoint_offers_only_the_way_back(owner, grown, project):
    owner.post(f"{url(grown.second)}advance/")
    project.refresh_from_db()
    page = Page(owner.get(url(project.head)))
    assert "Revert back" in page.labels
    assert not {"Next checkpoint", "Create next checkpoint", "Create next checkpoint from here"} & set(page.labels)
    assert page.headings == ["Checkpoint v3", "prompt", "next prompt"]
    assert "That was the last prompt." in [element.words for element in page.all("p")]


def test_where_a_next_exists_it_is_offered_beside_the_fork(owner, grown):
    owner.post(f"{url(grown.first)}restore/")
    page = Page(owner.get(url(grown.first)))
    assert {"Next checkpoint", "Create next checkpoint from here"} <= set(page.labels)
    assert not {"Revert back", "Create next checkpoint"} & set(page.labels)
    assert page.labels.index("Next checkpoint") < page.labels.index("Create next checkpoint from here")
    assert page.all("form", action=f"{url(grown.second)}restore/")


def test_a_page_the_database_is_not_at_offers_the_jump_and_no_action(owner, moved):
    page = Page(owner.get(url(moved.first)))
    assert "Jump to this checkpoint" in page.labels
    assert not {"Next checkpoint", "Create next checkpoint from here", "Revert back", "Add contact"} & set(page.labels)
    assert "The database is at v2: Add role and company, not here." in [element.words for element in page.all("p")]


@pytest.mark.parametrize("tab", ["app", "meta", "schema"])
def test_a_page_the_database_is_not_at_never_asks_the_database(owner, moved, monkeypatch, tab):
    with monkeypatch.context() as patch:
        patch.setattr(queries.db, "read", lambda *arguments: pytest.fail("asked"))
        response = owner.get(url(moved.first), {"tab": tab})
    assert response.status_code == 200
    assert Page(response).alerts == []


def test_the_timeline_marks_where_one_is(owner, grown):
    page = Page(owner.get(url(grown.second)))
    assert [element.tag for element in page.all(**{"class": "place", "aria-current": "page"})] == ["span"]
    assert page.one("li", class_="entry head shown").words.startswith("v2 Add role and company database is here")
    assert "v1" in page.one("button", class_="place").words
    assert page.all("form", action=f"{url(grown.first)}restore/", class_=None)


def test_the_timeline_of_another_page_jumps_anywhere_but_leads_to_where_the_database_is(owner, moved):
    page = Page(owner.get(url(moved.first)))
    assert [element.words[:2] for element in page.all("button", class_="place")] == ["v1"]
    assert page.one("a", class_="place")["href"] == url(moved.second)
    assert page.one("button", **{"class": "place", "aria-current": "page"}).words.startswith("v1")


def test_a_fork_is_a_line_of_its_own(owner, grown):
    owner.post(f"{url(grown.first)}restore/")
    owner.post(f"{url(grown.first)}advance/")
    page = Page(owner.get(url(grown.first)))
    assert len(page.all("ol", class_="line")) == 2
    assert len(page.all("li", class_="entry")) + len(page.all("li", class_="entry head")) == 2
    assert page.one("li", class_="entry shown").words.count("Add role and company") == 1


def test_forms_carry_a_token_of_their_own(owner, grown):
    page = Page(owner.get(url(grown.second)))
    posts = [form for form in page.all("form") if form["method"] == "post"]
    assert len(page.all("input", name="csrfmiddlewaretoken")) == len(posts) > 3


def test_the_page_is_not_stored_so_going_back_never_shows_a_fragment(owner, head):
    assert "no-store" in owner.get(url(head))["Cache-Control"]


def test_htmx_gets_the_title_and_the_main_part_of_the_page(owner, head):
    response = owner.get(url(head), headers=HTMX)
    whole, part = Page(owner.get(url(head))), Page(response)
    assert [element.tag for element in part.elements[:2]] == ["title", "main"]
    assert not part.is_whole
    assert part.one("title").words == whole.one("title").words
    assert part.one("main").words == whole.one("main").words
    assert response["HX-Retarget"] == "#main"
    assert response["HX-Reswap"] == "outerHTML show:window:top"
    assert "HX-Push-Url" not in response


def test_a_browser_that_lost_its_history_gets_the_whole_page(owner, head):
    response = owner.get(url(head), headers=TAB | {"HX-History-Restore-Request": "true"})
    assert Page(response).is_whole


def test_a_run_at_work_lies_over_the_page(owner, head, started):
    run = runs.begin(owner=started, kind=Run.Kind.ADVANCE, project=head.project, target=head)
    page = Page(owner.get(url(head)))
    assert "open" in page.one("dialog").attributes
    assert page.one(id="run")["hx-get"] == f"/runs/{run.pk}/"
    assert [element["content"] for element in page.all("meta", **{"http-equiv": "refresh"})] == ["1"]


def test_without_a_run_the_overlay_is_closed(owner, head):
    page = Page(owner.get(url(head)))
    assert "open" not in page.one("dialog").attributes
    assert not page.all("meta", **{"http-equiv": "refresh"})


def test_a_database_that_is_down_is_said_in_place(owner, head, database_down):
    response = owner.get(url(head))
    page = Page(response)
    assert response.status_code == 200
    assert page.alerts == ["The app database does not answer right now. Try again in a moment."]
    assert "Create next checkpoint" in page.labels
    assert "Add contact" not in page.labels


def test_a_table_that_is_gone_is_said_in_place(owner, head, execute):
    execute("DROP TABLE contacts")
    response = owner.get(url(head))
    assert response.status_code == 200
    assert Page(response).alerts == ["The app database does not have the table and columns of this version."]


def test_a_column_that_is_gone_is_said_in_place(owner, head, execute):
    execute("ALTER TABLE contacts DROP COLUMN email")
    response = owner.get(url(head))
    assert response.status_code == 200
    assert Page(response).alerts == ["The app database does not have the table and columns of this version."]


def test_an_empty_list_says_so(owner, head, execute):
    execute("DELETE FROM contacts")
    page = Page(owner.get(url(head)))
    assert page.one("p", class_="empty").words == "No contacts yet. Add the first one below."
    assert "Add contact" in page.labels


def test_what_a_contact_holds_is_text(owner, head, execute):
    execute("UPDATE contacts SET name = '<script>alert(1)</script>' WHERE email = 'ada@example.com'")
    assert "<script>alert" not in owner.get(url(head)).content.decode()


def test_a_stranger_gets_404(stranger, head):
    assert stranger.get(url(head)).status_code == 404


def test_an_unknown_checkpoint_is_404(owner):
    assert owner.get(f"/checkpoints/{uuid.uuid4()}/").status_code == 404
    assert owner.get("/checkpoints/none/").status_code == 404


def test_a_visitor_is_sent_to_sign_in_and_back(client, head):
    response = client.get(url(head), {"tab": "meta"})
    assert (response.status_code, response["Location"]) == (
        302,
        f"/accounts/login/?next=/checkpoints/{head.pk}/%3Ftab%3Dmeta",
    )


def test_htmx_of_a_visitor_leaves_the_page_to_sign_in(client, head):
    page = f"http://testserver/checkpoints/{head.pk}/?tab=meta"
    response = client.get(url(head), headers=TAB | {"HX-Current-URL": page})
    assert response["HX-Redirect"] == f"/accounts/login/?next=/checkpoints/{head.pk}/%3Ftab%3Dmeta"
    assert response.content == b""


def test_other_methods_are_refused(owner, head):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(owner, method)(url(head)).status_code == 405, method


@pytest.mark.parametrize("tab", ["app", "meta"])
def test_the_number_of_queries_does_not_grow_with_checkpoints_runs_and_users(
    owner, head, started, tab, django_assert_max_num_queries
):
    children(head, 2)
    with django_assert_max_num_queries(6) as queries_for_3:
        owner.get(url(head), {"tab": tab})
    children(head, 27)
    Run.objects.bulk_create(
        Run(owner=started, project=head.project, kind="restore", status="succeeded", result=head, origin=head)
        for _ in range(30)
    )
    User.objects.bulk_create(User(username=f"user-{number}") for number in range(30))
    # Where the last jump came from; and the head and what follows it, which are not among the newest any more.
    with django_assert_max_num_queries(len(queries_for_3) + 3):
        page = Page(owner.get(url(head), {"tab": tab}))
    assert page.one("nav", class_="timeline").words.count("Add more") == SHOWN


def test_both_databases_are_read_at_the_same_time_and_the_app_database_once(owner, head, monkeypatch):
    read, query = queries.db.read, RunQuerySet.at_work_and_undoable
    meeting, reads = threading.Barrier(2, timeout=10), []

    def read_together(uri, work):
        reads.append(uri)
        meeting.wait()
        return read(uri, work)

    def query_together(*arguments):
        meeting.wait()
        return query(*arguments)

    monkeypatch.setattr(queries.db, "read", read_together)
    monkeypatch.setattr(RunQuerySet, "at_work_and_undoable", query_together)
    assert len(Page(owner.get(url(head))).all("span", class_="name")) == 3
    assert reads == [head.project.database_url]


@pytest.mark.speed
def test_the_page_waits_for_the_slower_of_both_databases_alone(owner, head, monkeypatch):
    read, query, threads = queries.db.read, RunQuerySet.at_work_and_undoable, set()

    def slow_read(uri, work):
        threads.add(threading.current_thread())
        time.sleep(0.1)
        return read(uri, work)

    def slow_query(*arguments):
        time.sleep(0.1)
        return query(*arguments)

    monkeypatch.setattr(queries.db, "read", slow_read)
    monkeypatch.setattr(RunQuerySet, "at_work_and_undoable", slow_query)
    assert min(seconds(owner, url(head)) for _ in range(6)) < 0.1 + 0.04 * slowness()  # not 0.2
    assert threading.current_thread() not in threads
