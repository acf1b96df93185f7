"""The command neon_cleanup: what it says, whatever it is to delete, and what it leaves alone."""

from datetime import timedelta

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connection

from checkpoints import cleanup, services
from checkpoints.models import Project, Run
from tests.checkpoints import flows
from tests.checkpoints.cleaning import (
    AT_WORK,
    SECRET,
    Terminal,
    clean,
    half_started,
    in_meta,
    in_neon,
    summary,
    unreferenced,
)

pytestmark = pytest.mark.usefixtures("only_ours")


# Without --yes


def test_a_dry_run_says_what_it_would_delete_and_deletes_nothing(fork, project, eve, theirs):
    flows.restore(fork.first, unsaved=True)  # leaves a branch
    half_started(User.objects.create_user("bob"), age=timedelta(hours=2))
    unreferenced(project)
    before = in_neon(), in_meta(), flows.snapshots(project), flows.branches(project)
    for arguments, count, example in [
        (["demo-content"], 4, f"project {project.name} ({project.neon_project_id}) of ada@example.com, 4 checkpoints"),
        (["snapshots", project.name, "--all"], 5, f"snapshot {fork.second.snapshot_id}: with checkpoint v2: "),
        (["snapshots", project.name, "--unreferenced"], 1, ": no checkpoint refers to it\n"),
        (["branches", project.name], 1, "branch main (old) (br-"),
        (["orphans"], 2, " of bob: not finished since "),
    ]:
        said = clean(*arguments)
        assert example in said.output
        assert f"Found {count}, deleted none: this is a dry run. Add --yes to delete.\n" in said.output
        assert said.error == ""
    assert (in_neon(), in_meta(), flows.snapshots(project), flows.branches(project)) == before


# What fails


def test_a_failure_is_one_sentence_the_rest_is_done_and_the_end_is_an_error(project, eve, wire):
    wire.before(
        f"DELETE .*/projects/{project.neon_project_id}$",
        lambda: httpx.Response(500, json={"message": f"cannot reach {SECRET} with napi_s3cret"}),
    )
    said = clean("demo-content", "--yes")
    assert f"✗ project {project.name} " in said.output
    assert "\n  Neon has a fault on its side. Try again later.\n" in said.output
    assert summary(said) == (2, 1, 1)
    assert said.error == "Not everything was deleted. What was is no longer found when this runs again."
    assert Project.objects.get() == project
    wire.mend()
    assert summary(clean("demo-content", "--yes")) == (1, 1, 0)
    assert not Project.objects.exists()


def test_who_wants_to_know_more_hears_what_neon_said_without_secrets(project, wire):
    wire.before("DELETE", lambda: httpx.Response(500, json={"message": f"cannot reach {SECRET}"}))
    said = clean("demo-content", "--yes", verbosity=2)
    assert f"(DELETE /projects/{project.neon_project_id}: 500 cannot reach ***)" in said.output


def test_what_nobody_foresaw_stops_nothing_else_and_is_not_quoted(project, eve, monkeypatch):
    delete = services.delete_project

    def breaks(victim):
        if victim.pk == project.pk:
            raise RuntimeError(f"cannot connect to {SECRET}")
        delete(victim)

    monkeypatch.setattr(services, "delete_project", breaks)
    said = clean("demo-content", "--yes")
    assert "Something unexpected went wrong; the log has it." in said.output
    assert summary(said) == (2, 1, 1)
    assert said.error
    assert Project.objects.get() == project


def test_neon_that_does_not_answer_is_one_sentence(project, wire):
    wire.refuses("GET .*/projects$", 500)
    for arguments in (["demo-content", "--yes"], ["orphans", "--yes"]):
        assert clean(*arguments).error == "Neon has a fault on its side. Try again later."
    assert Project.objects.get() == project


def test_ctrl_c_says_how_far_it_got(project, eve, monkeypatch):
    def interrupt(victim):
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "delete_project", interrupt)
    assert clean("demo-content", "--yes").error == "Stopped after 0 of 2, of which 0 failed."


# Which project


@pytest.mark.parametrize("name", ["pk", "name", "neon_project_id"])
def test_a_project_is_called_by_id_by_name_or_by_id_in_neon(project, name):
    said = clean("snapshots", str(getattr(project, name)), "--unreferenced")
    assert (said.output.splitlines()[-1], said.error) == ("Found nothing to delete.", "")


def test_a_project_that_is_not_this_sites_is_not_touched(project, theirs):
    for wanted in (theirs, "nobody's"):
        assert clean("branches", wanted, "--yes").error == f"This site has no project {wanted}."


def test_a_name_that_two_projects_have_is_not_enough(project):
    Project.objects.create(owner=project.owner, name=project.name, neon_project_id="other", database_url=SECRET)
    assert "There are several projects" in clean("branches", project.name).error


@pytest.mark.parametrize("arguments", [["branches"], ["snapshots", "--all"], ["snapshots", "--unreferenced"]])
def test_a_project_that_is_at_work_is_not_touched(project, head, arguments):
    extra = unreferenced(project)
    flows.begin(head, Run.Kind.ADVANCE)
    assert clean(*arguments, project.name, "--yes").error == AT_WORK
    assert flows.snapshots(project) == {head.snapshot_id, extra}


# The meta database


def test_a_database_without_tables_is_said_to_need_migrate(db, monkeypatch):
    monkeypatch.setattr(Project._meta, "db_table", "no_such_table")
    assert clean("demo-content").error == "The meta database is not prepared. Run manage.py migrate."


def test_another_mistake_in_a_query_is_not_taken_for_that_and_is_logged(db, monkeypatch, caplog):
    def breaks():
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")

    monkeypatch.setattr(cleanup, "demo_content", breaks)
    assert clean("demo-content").error == "Something unexpected went wrong; the log has it."
    (record,) = caplog.records
    assert "no_such_column" in str(record.exc_info[1])


# What a person sees


def test_there_is_a_progress_bar_on_a_terminal_alone(project, eve):
    assert "\r" not in clean("snapshots", project.name, "--all", "--yes").output
    said = clean("demo-content", "--yes", out=Terminal())
    assert f"\r[{'.' * 30}] 0/2" in said.output
    assert said.output.endswith("\r\x1b[KFound 2, deleted 2, failed 0.\n")
