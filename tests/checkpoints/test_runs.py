"""Runs: one at a time for each owner, executed by one process, resumed after a kill."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from checkpoints import locks, runs, services
from checkpoints.models import Run
from contacts import schema
from neon import service as neon
from tests.checkpoints import flows

SECRET = "postgresql://somebody:s3cret@db.example.com/neondb"


@pytest.fixture
def restoring(head):
    """A restore that nobody executes yet."""
    return flows.begin(head, Run.Kind.RESTORE)


def queued(task):
    """Return the ids of the runs for which a task is waiting."""
    jobs = ProcrastinateJob.objects.filter(task_name=f"checkpoints.tasks.{task}", status="todo")
    return [uuid.UUID(job.args["run_id"]) for job in jobs]


def breaks(*arguments, **options):
    """Break in a way that nobody foresaw."""
    raise RuntimeError(f"cannot connect to {SECRET}")


# Beginning


def test_a_new_run_is_queued_with_its_row(user):
    run = runs.begin(owner=user, kind=Run.Kind.START)
    assert run.status == "queued"
    assert queued("execute") == [run.pk]


def test_what_is_rolled_back_was_never_queued(user):
    with transaction.atomic():
        runs.begin(owner=user, kind=Run.Kind.START)
        assert queued("execute")
        transaction.set_rollback(True)
    assert queued("execute") == []


def test_who_has_an_unfinished_run_gets_that_one(restoring, head):
    assert flows.begin(head, Run.Kind.ADVANCE) == restoring
    assert queued("execute") == []


def test_others_have_runs_of_their_own(restoring):
    other = runs.begin(owner=User.objects.create_user("eve"), kind=Run.Kind.START)
    assert other != restoring


def test_after_the_end_the_way_is_free(restoring, head):
    restoring.fail("No.")
    assert flows.begin(head, Run.Kind.RESTORE) != restoring


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_get_the_same_run(empty_queue):
    user = User.objects.create_user("ada")
    both = threading.Barrier(2)

    def click(_):
        try:
            both.wait()
            return runs.begin(owner=user, kind=Run.Kind.START).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        for _ in range(10):
            assert len(set(threads.map(click, range(2)))) == 1
            assert queued("execute") == [Run.objects.unfinished().get().pk]
            Run.objects.all().delete()
            ProcrastinateJob.objects.all().delete()


# Executing


def test_only_one_process_executes_a_run(restoring):
    with locks.run(restoring.pk) as held:
        assert held
        assert flows.done(restoring).status == "queued"
    assert flows.done(restoring).status == "succeeded"


def test_a_run_that_has_ended_is_not_executed_again(restoring, execute):
    first = flows.done(restoring)
    assert flows.done(restoring).finished_at == first.finished_at


def test_a_run_that_is_gone_is_no_matter(db):
    runs.execute(uuid.uuid4())


def test_the_listener_hears_of_each_step(restoring):
    heard = []
    runs.execute(restoring.pk, listener=lambda step: heard.append(step.label))
    assert heard == [
        "Look for changes since the checkpoint",
        "Restore the snapshot",
        "Compare with the checkpoint",
        "Record where the database is",
    ]


def test_what_nobody_foresaw_is_a_sentence_and_no_secret_gets_out(restoring, monkeypatch):
    monkeypatch.setattr(services, "compare", breaks)
    run = flows.done(restoring)
    assert (run.status, run.detail) == ("failed", "RuntimeError")
    assert run.error == (
        "Something unexpected went wrong."
        " The database is at the checkpoint now, and what it held before is being saved."
    )
    assert "s3cret" not in repr(vars(run))


def test_what_nobody_foresaw_in_an_advance_is_undone(head, project, monkeypatch):
    monkeypatch.setattr(services, "_snapshot", breaks)
    run = flows.advance(head)
    assert run.error == "Something unexpected went wrong. The database is as it was."
    assert schema.contact_columns(project.database_url) == {"id", "name", "email"}


def test_an_undo_that_breaks_as_well_does_not_lock_the_owner_out(head, monkeypatch):
    monkeypatch.setattr(services, "_snapshot", breaks)
    monkeypatch.setattr(schema, "revert", breaks)
    run = flows.advance(head)
    assert run.status == "failed"
    assert run.error == (
        "Something unexpected went wrong. It is not known what it had changed by then; trying again makes sure."
    )
    monkeypatch.undo()
    assert flows.advance(head).status == "succeeded"


def test_what_has_failed_can_be_done_again(restoring, head, monkeypatch):
    monkeypatch.setattr(services, "compare", breaks)
    flows.done(restoring)
    monkeypatch.undo()
    assert flows.restore(head).status == "succeeded"


def test_a_meta_database_that_is_away_leaves_the_run_to_be_resumed(restoring, monkeypatch):
    def is_away(run):
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as away:
        away.setitem(runs.VERBS, Run.Kind.RESTORE, is_away)
        with pytest.raises(OperationalError):
            runs.execute(restoring.pk)
    assert Run.objects.get(pk=restoring.pk).status == "running"
    assert flows.done(restoring).status == "succeeded"


# Resuming


def test_every_unfinished_run_is_queued_once_more(restoring, user):
    runs.begin(owner=User.objects.create_user("eve"), kind=Run.Kind.START, queue=False).fail("No.")
    runs.resume()
    runs.resume()
    assert queued("execute") == [restoring.pk]


# Waiting


def waited(run, *arguments, **options):
    """Wait for a run, and return it as it is then."""
    runs.wait(run, *arguments, **options)
    return Run.objects.get(pk=run.pk)


def test_waiting_ends_in_time(restoring):
    assert waited(restoring, 0.02).status == "queued"


def test_waiting_ends_with_the_run(restoring):
    Run.objects.filter(pk=restoring.pk).update(status="failed", error="No.")
    assert waited(restoring, 60).error == "No."


@pytest.mark.parametrize(("values", "for_news"), [({"status": "failed"}, False), ({"steps": []}, True)])
def test_who_waits_is_told(transactional_db, user, monkeypatch, values, for_news):
    monkeypatch.setattr(runs, "LOOK_SECONDS", 60)
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)

    def change():
        Run.objects.filter(pk=run.pk).update(detail="This is no news.")
        Run.objects.filter(pk=run.pk).update(**values)
        connection.close()

    changing = threading.Timer(0.2, change)
    changing.start()
    begun = time.monotonic()
    found = waited(run, 60, for_news=for_news)
    changing.join()
    assert {name: getattr(found, name) for name in values} == values
    assert time.monotonic() - begun < 10


def test_who_waits_for_news_is_spared_a_step_after_which_the_run_ends(transactional_db, user, monkeypatch):
    monkeypatch.setattr(runs, "GATHER_SECONDS", 60)
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)

    def go_on():
        for values in ({"steps": []}, {"status": "succeeded"}):
            Run.objects.filter(pk=run.pk).update(**values)
            time.sleep(0.1)
        connection.close()

    going_on = threading.Timer(0.2, go_on)
    going_on.start()
    assert waited(run, 60, for_news=True).status == "succeeded"
    going_on.join()


@pytest.mark.parametrize(("step", "calls"), [("create", [True]), ("apply", [])])
def test_what_a_step_lets_one_prepare_is_prepared_when_it_begins(transactional_db, user, monkeypatch, step, calls):
    monkeypatch.setattr(runs, "LOOK_SECONDS", 60)
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)
    called = []

    def go_on():
        same = Run.objects.get(pk=run.pk)
        same.begin()
        time.sleep(0.1)
        same.fail("No.")
        connection.close()

    going_on = threading.Timer(0.2, go_on)
    going_on.start()
    # Something that asks the meta database, as it may not while that tells news.
    runs.wait(run, 60, at_step={step: lambda: called.append(Run.objects.exists())})
    going_on.join()
    assert called == calls


def test_after_waiting_the_session_is_as_before(transactional_db, user):
    run = runs.begin(owner=user, kind=Run.Kind.START, queue=False)
    runs.wait(run, 0.01)
    run.begin()
    assert connection.is_usable()
    assert list(connection.connection.notifies(timeout=0.1)) == []


def test_waiting_for_news_ends_with_the_next_step(restoring):
    Run.objects.filter(pk=restoring.pk).update(status="running")
    assert waited(restoring, 60, for_news=True).status == "running"


# What it holds, and what it leaves


def holders():
    """Return the sessions that hold locks, apart from this one: each as often as it holds one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()")
        return [pid for (pid,) in cursor]


def test_the_session_of_a_lock_is_used_again_and_holds_nothing_meanwhile(restoring):
    before = holders()
    with locks.run(restoring.pk):
        (first,) = (pid for pid in holders() if pid not in before)
    assert first not in holders()
    with locks.run(uuid.uuid4()):
        assert [pid for pid in holders() if pid not in before] == [first]


@pytest.mark.parametrize("when", ["held", "idle", "failed"])
def test_the_session_of_a_lock_that_has_ended_or_failed_is_not_used_again(restoring, when):
    before = holders()

    def end():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])

    with suppress(RuntimeError), locks.run(restoring.pk):
        (first,) = (pid for pid in holders() if pid not in before)
        if when == "held":
            end()  # which is no failure of what has been done meanwhile
        if when == "failed":
            breaks()
    if when == "idle":
        end()
    with locks.run(restoring.pk) as held:
        assert held
        assert first not in holders()


def test_a_swap_has_its_lock_on_the_session_of_its_run(restoring):
    before = holders()
    with locks.run(restoring.pk), locks.swap(restoring.project_id, seconds=1) as alone:
        assert alone
        first, second = (pid for pid in holders() if pid not in before)
        assert first == second
    with locks.swap(restoring.project_id, seconds=1) as alone:
        assert alone
    assert holders() == before


def test_a_jump_looks_at_the_database_without_waiting_for_neon(restoring, monkeypatch):
    looked = threading.Event()

    def slowly(self, project_id):
        assert looked.wait(20)
        return default_branch(self, project_id)

    default_branch = neon.Neon.default_branch
    monkeypatch.setattr(neon.Neon, "default_branch", slowly)
    runs.execute(restoring.pk, lambda step: looked.set())
    assert Run.objects.get(pk=restoring.pk).status == "succeeded"


def test_its_clean_up_waits_until_the_page_is_there(restoring):
    runs.execute(restoring.pk)
    job = ProcrastinateJob.objects.get(task_name="checkpoints.tasks.clean_up", status="todo")
    assert job.args["run_id"] == str(restoring.pk)
    later = (job.scheduled_at - Run.objects.get(pk=restoring.pk).finished_at).total_seconds()
    assert runs.CLEAN_UP_AFTER_SECONDS <= later < runs.CLEAN_UP_AFTER_SECONDS + 5


def test_a_run_does_not_wait_for_the_clean_up_of_the_one_before(restoring, head):
    runs.execute(restoring.pk)
    again = flows.begin(head, Run.Kind.RESTORE)
    runs.execute(again.pk)
    again.refresh_from_db()
    assert again.status == "succeeded"
    assert set(queued("clean_up")) == {restoring.pk, again.pk}
