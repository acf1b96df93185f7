"""The flow restore, on a real plane."""

from contextlib import closing

import psycopg
import pytest

from checkpoints import services
from contacts import queries, schema, versions
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
    assert [entry.checkpoint for entry in project.timeline().line] == list(line)
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
