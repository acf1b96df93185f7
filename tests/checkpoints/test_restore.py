"""The flow restore, on a real plane."""

from contextlib import closing

import httpx
import psycopg
import pytest

from checkpoints import aftermath, errors, runs, services
from checkpoints.models import Checkpoint, Project, Run
from contacts import db, queries, schema, versions
from neon import service as neon
from neon.local import store
from tests.checkpoints import flows

PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
V1 = {"id", "name", "email"}


def add(project, version, name):
    """Add a contact as the site does."""
    values = {"name": name, "email": f"{name.lower()}@example.com"}
    queries.add(project.database_url, versions.get(version), values)


def rename(project, version, before, after):
    """Change a contact as the site does."""
    contact = flows.people(project, version)[before]
    queries.change(project.database_url, versions.get(version), contact.id, {"name": after})


@pytest.fixture
def line(project, head):
    """Three checkpoints in a line, with an edit before each snapshot but the first; the database is at the last."""
    add(project, "v1", "Edsger")
    second = flows.advance(head).result
    rename(project, "v2", "Edsger", "Barbara")
    return head, second, flows.advance(second).result


def test_there_and_back_again(project, line):
    first, second, third = line
    rename(project, "v3", "Alan Turing", "Alan M. Turing")
    for checkpoint, names, columns in (
        (first, PEOPLE, V1),
        (third, PEOPLE | {"Barbara"}, V1 | {"role", "company", "tags"}),
        (second, PEOPLE | {"Edsger"}, V1 | {"role", "company"}),
        (third, PEOPLE | {"Barbara"}, V1 | {"role", "company", "tags"}),
    ):
        run = flows.restore(checkpoint)
        project.refresh_from_db()
        assert (run.status, run.result, project.head) == ("succeeded", checkpoint, checkpoint)
        assert flows.people(project).keys() == names
        assert schema.contact_columns(project.database_url) == columns
        assert not services.differs(project, checkpoint)


def test_nothing_of_the_tree_is_lost_on_the_way(project, line):
    for checkpoint in line:
        flows.restore(checkpoint)
    assert [entry.checkpoint for entry in project.checkpoints.timeline()] == list(line)
    assert flows.snapshots(project) == {checkpoint.snapshot_id for checkpoint in line}


def test_the_connection_string_stays(project, line):
    before = project.database_url
    flows.restore(line[0])
    project.refresh_from_db()
    assert neon.connect().connection_uri(project.neon_project_id) == project.database_url == before


def test_each_side_of_a_fork_keeps_its_own(project, line):
    first, second, _ = line
    flows.restore(first)
    add(project, "v1", "Margaret")
    other = flows.advance(first).result
    for checkpoint, names in (
        (second, PEOPLE | {"Edsger"}),
        (other, PEOPLE | {"Margaret"}),
        (first, PEOPLE),
        (other, PEOPLE | {"Margaret"}),
    ):
        assert flows.restore(checkpoint).status == "succeeded"
        assert flows.people(project).keys() == names


def test_the_head_itself_can_be_restored(project, head, execute):
    execute("DROP TABLE contacts")
    assert flows.restore(head).status == "succeeded"
    assert flows.people(project).keys() == PEOPLE


def test_a_connection_that_is_open_does_not_hold_it_up(project, head):
    with closing(psycopg.connect(project.database_url)) as connection:
        connection.execute("LOCK TABLE contacts")
        assert flows.restore(head).status == "succeeded"
    assert flows.people(project).keys() == PEOPLE


def test_a_sequence_that_jumped_does_not_count(project, head, execute):
    execute("CREATE SEQUENCE numbers")
    execute("SELECT nextval('numbers')")
    second = flows.advance(head).result
    second.fingerprint["sequences"]["public.numbers"] = 33
    second.save()
    assert flows.restore(second).status == "succeeded"


def test_a_snapshot_that_was_tampered_with_is_found_out(project, head):
    flows.advance(head)
    with store.connection() as plane:
        (copy,) = store.databases_of_snapshot(plane, head.snapshot_id)
        plane.execute(f"ALTER DATABASE {copy['physical_name']} ALLOW_CONNECTIONS true")
        with flows.superuser(copy["physical_name"]) as connection:
            connection.execute("DELETE FROM contacts WHERE name = 'Ada Lovelace'")
        plane.execute(f"ALTER DATABASE {copy['physical_name']} ALLOW_CONNECTIONS false")
    run = flows.restore(head)
    assert run.error == (
        "The restored database differs from its checkpoint."
        " The database is at the checkpoint now, and what it held before is being saved."
    )
    project.refresh_from_db()
    assert project.head == head
    assert flows.people(project, "v1").keys() == PEOPLE - {"Ada Lovelace"}
    assert "main (old)" in flows.branches(project)
    assert services.differs(project, head)


def test_a_neon_that_refuses_leaves_the_database_as_it_was(project, line, wire):
    wire.refuses("POST .*/restore$", 500)
    run = flows.restore(line[0])
    assert run.error == "Neon has a fault on its side. Try again later. The database is as it was."
    project.refresh_from_db()
    assert project.head == line[2]
    assert not services.differs(project, line[2])


def test_a_neon_that_is_down_leaves_the_database_as_it_was(project, line, wire):
    wire.before("", _no_connection)
    run = flows.restore(line[0])
    assert run.error == "Neon cannot be reached right now. The database is as it was."
    project.refresh_from_db()
    assert project.head == line[2]


@pytest.mark.parametrize("operation_seconds", [0, 1.6])  # done before the first look, and not yet
def test_a_restore_whose_answer_was_lost_is_found_and_not_done_twice(project, line, wire, settings, operation_seconds):
    settings.NEON_LOCAL_OPERATION_SECONDS = operation_seconds
    wire.loses_the_answer("POST .*/restore$")
    run = flows.restore(line[0])
    assert (run.status, run.error) == ("succeeded", "")
    project.refresh_from_db()
    assert project.head == line[0]
    assert not services.differs(project, line[0])
    assert _restores(wire) == 1
    aftermath.clean_up(run)
    assert flows.branches(project) == {"main"}


def test_a_restore_that_did_not_come_is_asked_for_again(project, line, wire):
    wire.refuses("POST .*/restore$", 500, times=2)
    run = flows.restore(line[0])
    assert (run.status, _restores(wire)) == ("succeeded", 3)
    aftermath.clean_up(run)
    assert flows.branches(project) == {"main"}


def test_what_a_restore_replaced_that_then_failed_is_saved_whatever_it_was(project, line, wire, monkeypatch):
    monkeypatch.setattr(db, "RETRY_SECONDS", 0.02)
    wire.after("POST .*/restore$", lambda: flows.shut(project.database_url))
    kept = flows.restore(line[0])
    wire.mend()
    flows.allow_connections(project.database_url, True)
    assert flows.branches(project) == {"main", "main (old)"}
    runs.clean_up(kept.pk)
    kept.refresh_from_db()
    assert (kept.saved.kind, kept.saved.parent) == ("safety", line[2])
    runs.clean_up(flows.restore(line[1]).pk)
    assert flows.branches(project) == {"main"}


@pytest.mark.django_db(transaction=True)  # Postgres looks for the project when the run is committed
def test_a_project_deleted_since_the_click_is_said_at_once(started, empty_queue):
    target = Checkpoint.objects.select_related("project__owner").get()
    services.delete_project(Project.objects.current(started))
    with pytest.raises(errors.Gone):
        flows.begin(target, Run.Kind.RESTORE)


def test_what_cannot_be_looked_into_is_said(project, line, wire):
    wire.after("POST .*/restore$", lambda: wire.before("", _no_connection))
    wire.loses_the_answer("POST .*/restore$")
    run = flows.restore(line[0])
    assert run.error == (
        "Neon cannot be reached right now. It is not known whether the database was restored; trying again makes sure."
    )
    assert _restores(wire) == 1
    wire.mend()
    assert flows.restore(line[0]).status == "succeeded"
    assert flows.people(project).keys() == PEOPLE


def test_an_app_database_that_does_not_come_back_is_said_and_the_head_is_true(project, line, wire, monkeypatch):
    monkeypatch.setattr(db, "RETRY_SECONDS", 0.02)
    wire.after("POST .*/restore$", lambda: flows.shut(project.database_url))
    run = flows.restore(line[0])
    assert run.error == (
        "The app database does not answer right now. Try again in a moment."
        " The database is at the checkpoint now, and what it held before is being saved."
    )
    project.refresh_from_db()
    assert project.head == line[0]
    flows.allow_connections(project.database_url, True)
    wire.mend()
    assert flows.restore(line[0]).status == "succeeded"


def test_a_resumed_restore_is_not_done_twice(project, line, wire):
    run = flows.begin(line[0], Run.Kind.RESTORE)
    wire.after("POST .*/restore$", _killed)
    with pytest.raises(KeyboardInterrupt):
        runs.execute(run.pk)
    wire.mend()
    run = flows.done(run)
    assert run.status == "succeeded"
    aftermath.clean_up(run)
    assert flows.branches(project) == {"main"}


def test_a_checkpoint_that_is_gone_is_said(project, line):
    run = flows.begin(line[2], Run.Kind.RESTORE)
    Run.objects.filter(pk=run.pk).update(target=None)
    run = flows.done(run)
    assert (run.error, run.remedy) == ("That checkpoint is gone. The database is as it was.", Run.Remedy.NONE)


def test_a_snapshot_that_neon_lost_is_said(project, line):
    neon.connect().delete_snapshot(project.neon_project_id, line[0].snapshot_id)
    run = flows.restore(line[0])
    assert run.error == "Neon does not know this project, branch or snapshot. The database is as it was."
    project.refresh_from_db()
    assert project.head == line[2]


def test_a_project_that_was_deleted_behind_our_back_is_said(project, line, wire):
    neon.connect().delete_project(project.neon_project_id)
    run = flows.restore(line[0])
    assert run.error == ("Neon no longer has this project. Its checkpoints are gone with it, so start the demo again.")
    assert (run.remedy, "leftover" in run.state) == (Run.Remedy.START, False)
    project.refresh_from_db()
    assert project.head == line[2]


def _restores(wire):
    """Return how often a restore was asked for."""
    return len([call for call in wire.calls if call.endswith("/restore")])


def _no_connection():
    raise httpx.ConnectError("no route")


def _killed():
    raise KeyboardInterrupt
