"""The command doctor: each drift is found, mended, and found no more; what is fine is not touched."""

import io
import re
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from checkpoints import runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon import service as neon
from neon.local import cluster, store
from neon.local.engine import branches
from tests.checkpoints import cleaning, flows
from tests.checkpoints.demo import NEVER_SHOWN
from tests.neon.local import plane

WRITE = "INSERT INTO contacts (name, email) VALUES ('Barbara', 'barbara@example.com')"


def doctor(*arguments, **options):
    """Call the command, and return the sentences that it says, and what it ends with when that is an error."""
    out, error = io.StringIO(), ""
    try:
        call_command("doctor", *arguments, stdout=out, **options)
    except CommandError as refusal:
        error = str(refusal)
    assert not NEVER_SHOWN.search(out.getvalue() + error)
    return SimpleNamespace(drifts=re.findall(r"^[✗✓] (.*)$", out.getvalue(), re.M), output=out.getvalue(), error=error)


def is_well():
    """Tell whether the doctor finds nothing, however young it may be."""
    said = doctor(older_than=0)
    return (said.drifts, said.error, said.output) == ([], "", "Nothing has drifted.\n")


def mended(sentence):
    """Tell whether the doctor finds just this, changes nothing unasked, mends it, and then finds nothing."""
    before = cleaning.in_meta(), cleaning.in_neon()
    said = doctor(older_than=0)
    assert said.error == "Found 1, mended none. Add --fix to mend them."
    assert re.fullmatch(sentence, *said.drifts), said.drifts
    assert (cleaning.in_meta(), cleaning.in_neon()) == before
    said = doctor("--fix", older_than=0)
    assert (said.error, said.output.splitlines()[-1]) == ("", "Found 1, mended 1.")
    return is_well()


def here(project):
    """Return the project as it is now."""
    return Project.objects.select_related("head").get(pk=project.pk)


@pytest.fixture
def second(head):
    """A second checkpoint, v2, where the database is."""
    return flows.advance(head).result


# Nothing


def test_a_site_without_projects_is_well(db, only_ours):
    assert is_well()


def test_a_site_that_is_well_is_left_as_it_is(project, fork, execute):
    execute(WRITE)
    runs.clean_up(flows.restore(fork.third).pk)
    runs.clean_up(flows.undo(project).pk)
    for run in Run.objects.with_leftovers():
        runs.clean_up(run.pk)
    before = cleaning.in_meta(), flows.branches(project), flows.snapshots(project), flows.people(project).keys()
    assert is_well()
    assert doctor("--fix", older_than=0).drifts == []
    after = cleaning.in_meta(), flows.branches(project), flows.snapshots(project), flows.people(project).keys()
    assert after == before


def test_a_database_that_was_changed_since_is_no_drift(project, head, second, execute):
    execute(WRITE)
    assert is_well()
    assert here(project).head == second


def test_what_a_person_made_in_the_project_stays(project, second):
    snapshot = cleaning.unreferenced(project)
    branch = neon.connect().default_branch(project.neon_project_id)
    branches.create(project.neon_project_id, name="mine", parent_id=branch.id)
    assert is_well()
    assert snapshot in flows.snapshots(project)
    assert flows.branches(project) == {"main", "mine"}


# What runs have left


def test_an_abandoned_run_is_given_up(started, only_ours):
    run, neon_project_id = cleaning.half_started(started)
    assert mended(rf"Run {run} of .*: not finished since .*\.")
    assert Run.objects.get(pk=run.pk).error == "Nobody finished this action, so it was given up. Nothing was changed."
    assert neon_project_id not in cleaning.in_neon()


def test_a_run_at_work_is_left_alone_with_all_that_it_makes(project, head):
    run = flows.begin(head, Run.Kind.ADVANCE)
    run.begin()
    snapshot = neon.connect().snapshot(project.neon_project_id, str(run.pk)).id
    with cleaning.at_work(run):
        assert doctor("--fix", older_than=0).drifts == []
    assert snapshot in flows.snapshots(project)


def test_what_has_begun_a_moment_ago_is_no_drift(project, head):
    flows.restore(head)
    flows.begin(head, Run.Kind.RESTORE)
    assert doctor().drifts == []


def test_a_clean_up_that_failed_is_repeated(project, head, second, execute, wire):
    execute(WRITE)
    run = flows.restore(head)
    Run.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(minutes=16))
    assert doctor().drifts == [f"Run {run} of {project.owner}: left the branch that it replaced, to be saved."]
    assert mended(r"Run .*: left the branch that it replaced, to be saved\.")
    assert project.checkpoints.filter(kind=Checkpoint.Kind.SAFETY, parent=second).exists()
    assert flows.branches(project) == {"main"}


def test_a_replaced_branch_that_cannot_be_saved_is_never_deleted(project, head, second, execute, wire):
    execute(WRITE)
    flows.restore(head)
    wire.refuses("POST .*/snapshot$", 500)
    said = doctor("--fix", older_than=0)
    assert said.error == "Found 1, mended 0."
    assert "Neon has a fault on its side. Try again later." in said.output
    assert flows.branches(project) == {"main", "main (old)"}


def test_a_restore_of_which_nothing_is_known_is_found_out(project, head, second, execute, wire):
    execute(WRITE)
    wire.loses_the_answer("POST .*/restore$")
    wire.refuses("GET .*/operations", 500)
    run = flows.restore(head)
    assert "unsure" in run.state
    wire.mend()
    runs.clean_up(run.pk)
    said = doctor("--fix", older_than=0)
    assert said.drifts == [
        f"Project {project}: it is not known whether a restore has come through.",
        f"Run {run} of {project.owner}: left the branch that it replaced, to be saved.",
    ]
    assert here(project).head == head
    assert is_well()
    assert project.checkpoints.filter(kind=Checkpoint.Kind.SAFETY, parent=second).exists()


def test_a_branch_that_was_to_go_and_did_not_is_deleted(project, head, second, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(neon.Neon, "delete_branch", lambda *arguments: None)  # Neon fails only later
        runs.clean_up(flows.restore(head).pk)
    assert flows.branches(project) == {"main", "main (old)"}
    assert mended(rf"Project {project}: branch main \(old\) \(br-.*\) was replaced by a restore, and is still there\.")
    assert flows.branches(project) == {"main"}


# Snapshots and checkpoints


def test_a_snapshot_that_a_run_made_for_no_checkpoint_is_deleted(project, head, second):
    run = Run.objects.get(result=second)
    orphan = neon.connect().snapshot(project.neon_project_id, str(run.pk)).id
    assert mended(rf"Project {project}: snapshot {orphan} belongs to no checkpoint\.")
    assert flows.snapshots(project) == {head.snapshot_id, second.snapshot_id}


def test_a_snapshot_that_a_clean_up_is_just_taking_is_not_deleted(project, head, second, execute):
    execute(WRITE)
    run = flows.restore(head)
    _, branch_id = run.state["leftover"]["replaced"]
    taken = neon.connect().snapshot(project.neon_project_id, str(run.pk), branch_id=branch_id).id
    run.remember(asked=True)
    assert doctor("--fix").drifts == []
    assert taken in flows.snapshots(project)
    runs.clean_up(run.pk)
    assert project.checkpoints.filter(snapshot_id=taken).exists()


def test_a_checkpoint_without_its_snapshot_is_forgotten_and_its_child_stays(project, head, second):
    third = flows.advance(second).result
    neon.connect().drop_snapshot(project.neon_project_id, second.snapshot_id)
    assert mended(rf"Project {project}: the snapshot of checkpoint v2: .* is gone\.")
    third.refresh_from_db()
    assert third.parent == head


def test_a_head_without_its_snapshot_gets_another(project, head, second, execute):
    execute(WRITE)
    neon.connect().drop_snapshot(project.neon_project_id, second.snapshot_id)
    assert mended(rf"Project {project}: the snapshot of checkpoint v2: .* is gone\.")
    flows.restore(head)
    assert flows.restore(Checkpoint.objects.get(pk=second.pk)).status == "succeeded"
    assert "Barbara" in flows.people(project)


def test_an_answer_without_a_snapshot_that_is_there_forgets_nothing(project, head, second, monkeypatch):
    monkeypatch.setattr(neon.Neon, "snapshots", _once_empty(neon.Neon.snapshots))
    assert len(doctor("--fix", older_than=0).drifts) == 2
    assert set(project.checkpoints.all()) == {head, second}
    assert is_well()


def _once_empty(look):
    looks = iter([True])
    return lambda *arguments: () if next(looks, False) else look(*arguments)


# The head


@pytest.mark.parametrize("swapped", [False, True])
def test_a_head_that_the_database_is_not_at_is_moved(project, head, second, swapped):
    if swapped:
        runs.clean_up(flows.restore(head).pk)
    at, wrong = (head, second) if swapped else (second, head)
    services.move_head(here(project), wrong)
    assert mended(re.escape(f"Project {project}: the app database is at {at}, not at {wrong}."))
    assert here(project).head == at


def test_a_database_that_somebody_restored_in_neon_is_recognised(project, head, second):
    branch = neon.connect().default_branch(project.neon_project_id)
    neon.connect().restore(project.neon_project_id, head.snapshot_id, target_branch_id=branch.id)
    assert mended(re.escape(f"Project {project}: the app database is at {head}, not at {second}."))
    assert "main (old)" in flows.branches(project)  # nobody has said that it may go


def test_a_database_that_matches_a_checkpoint_of_another_history_is_not_taken_for_it(project, head, second, execute):
    execute("ALTER TABLE contacts ADD COLUMN note text")
    third = project.checkpoints.create(
        parent=head,
        prompt="Elsewhere",
        version="v2",
        snapshot_id=second.snapshot_id,
        fingerprint=services.take(project.database_url).to_json(),
    )
    neon.connect().restore(
        project.neon_project_id,
        neon.connect().snapshot(project.neon_project_id, "elsewhere").id,
        target_branch_id=neon.connect().default_branch(project.neon_project_id).id,
    )
    assert is_well()
    assert here(project).head == second != third


def test_an_app_database_that_has_moved_is_found_again(project):
    Project.objects.update(database_url=re.sub(r":\d+/", ":1/", project.database_url))
    assert mended(rf"Project {project}: the app database is not where its connection string leads\.")
    assert here(project).database_url == project.database_url


def test_an_app_database_that_does_not_answer_is_said_to(project, database_down):
    with store.connection() as connection, store.lock(connection, project.neon_project_id, wait=True):
        said = doctor("--fix", older_than=0)
    assert said.error == "Found 1, mended 0."
    assert said.drifts[0].startswith(f"Project {project} could not be looked at: ")


# Projects


def test_a_row_whose_project_is_gone_from_neon_goes(project, eve):
    neon.connect().delete_project(project.neon_project_id)
    assert mended(rf"Project {project} .*: gone from Neon\.")
    assert not Project.objects.filter(pk=project.pk).exists()


def test_a_project_in_neon_that_has_lost_its_row_goes(project, theirs, only_ours):
    Project.objects.update(head=None)
    Checkpoint.objects.update(parent=None)
    project.delete()
    assert mended(rf"Neon project {project} .*: no row refers to it\.")
    assert project.neon_project_id not in cleaning.in_neon()
    assert theirs in cleaning.in_neon()


# The local control plane


def test_a_local_database_that_a_kill_left_closed_is_opened(project):
    name = psycopg.conninfo.conninfo_to_dict(project.database_url)["dbname"]
    (row,) = plane.memory(
        "SELECT physical_name FROM databases d JOIN endpoints USING (branch_id) WHERE project_id = %s",
        [project.neon_project_id],
    )
    assert row["physical_name"] == name
    with store.connection() as connection:
        cluster.allow_connections(connection, name, False)
    assert mended(rf"A database of the local project {project.neon_project_id} lets nobody in\.")
    assert flows.people(project)


def test_a_half_made_local_database_is_dropped(db, only_ours):
    name = cluster.new_name("db")
    with store.connection() as connection:
        connection.execute("INSERT INTO leftovers VALUES (%s, 'database', now() - interval '1 hour')", [name])
        cluster.create(connection, name, "postgres", "template0")
    assert mended(r"A local database that nothing refers to has not been dropped\.")
    assert name not in plane.names_in_cluster()


# The command


@pytest.mark.parametrize("minutes", [-1, 999_999_999])
def test_minutes_out_of_range_are_refused(db, minutes):
    assert doctor(older_than=minutes).error.startswith("--older-than takes a number of minutes from 0 to")


def test_without_neon_it_says_so(project, wire):
    wire.refuses("", 500)
    assert doctor().error == "Neon has a fault on its side. Try again later."
