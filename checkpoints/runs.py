"""Runs: begun once per owner, executed by whoever holds the run's lock, resumed after a kill."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, connections, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from checkpoints import aftermath, services
from checkpoints.models import Checkpoint, Project, Run, Step, plan
from contacts.errors import AppDatabaseError
from neon.errors import NeonError

logger = logging.getLogger(__name__)

VERBS = {
    Run.Kind.START: services.start,
    Run.Kind.ADVANCE: services.advance,
    Run.Kind.RESTORE: services.restore,
}
LOOK_SECONDS = 0.01


def begin(
    *, owner: Any, kind: Run.Kind, project: Project | None = None, target: Checkpoint | None = None, queue: bool = True
) -> Run:
    """Return a new run of the owner's, queued for a worker, or the unfinished one that the owner already has.

    A constraint settles double clicks: of two that come at once, one gets the other's run. Raises services.Gone when
    project or target was deleted since the caller looked.
    """
    while True:
        try:
            with transaction.atomic():
                run = Run.objects.create(owner=owner, kind=kind, project=project, target=target, steps=plan(kind))
                if queue:
                    enqueue("execute", run)
                return run
        except IntegrityError as error:
            if "one_unfinished_run_per_owner" not in str(error):
                raise services.Gone("That project or checkpoint is gone.") from error
            if unfinished := Run.objects.unfinished().filter(owner=owner).first():
                return unfinished  # else it has just finished, and the way is free


def execute(run_id: uuid.UUID, listener: Callable[[Step], None] | None = None) -> None:
    """Execute a run to its end, unless somebody else is at it or it has ended."""
    with _lock(run_id) as held:
        run = Run.objects.select_related("owner", "project", "target").filter(pk=run_id).first()
        if not held or run is None or run.is_finished:
            return
        run.listener = listener
        run.begin()
        try:
            VERBS[Run.Kind(run.kind)](run)
        except (NeonError, AppDatabaseError, services.FlowError) as error:
            cause = aftermath.cause(run, error)
            logger.warning("Run %s failed: %s", run.pk, cause)
            _fail(run, cause, cause.sentence, detail=f"{type(cause).__name__}: {cause}")
        except (OperationalError, InterfaceError):
            raise  # the meta database is away: the run stays as it is and is resumed
        except Exception as error:
            logger.exception("Run %s failed", run.pk)
            _fail(run, error, "Something unexpected went wrong.", detail=type(error).__name__)
        if "leftover" in run.state:
            enqueue("clean_up", run)


def resume() -> None:
    """Queue every unfinished run once more; execution finds out whether its process died or is still at it."""
    for run in Run.objects.unfinished().order_by("created_at"):
        enqueue("execute", run)


def clean_up(run_id: uuid.UUID) -> None:
    """Delete in Neon what a finished run left."""
    run = Run.objects.with_leftovers().filter(pk=run_id).first()
    if run:
        aftermath.clean_up(run)


def is_at_work(run: Run) -> bool:
    """Tell whether some process executes a run; a look at its lock, as to take it might make a worker pass it by."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND granted AND objsubid = 1"
            " AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0))",
            [f"run {run.pk}"],
        )
        return bool(cursor.fetchone()[0])


def give_up(run_id: uuid.UUID) -> bool:
    """End an unfinished run as failed, with what it left to be cleaned up; False when some process is at it."""
    with _lock(run_id) as held:
        run = Run.objects.select_related("owner", "project", "target").filter(pk=run_id).first()
        if held and run and not run.is_finished:
            cause = services.FlowError("Nobody finished this action, so it was given up.")
            _fail(run, cause, cause.sentence, detail="given up")
        return held


def enqueue_clean_ups() -> None:
    """Queue the clean-up of every finished run that still has something to clean up."""
    for run in Run.objects.with_leftovers().order_by("created_at"):
        enqueue("clean_up", run)


def enqueue(task: str, run: Run) -> None:
    """Hand a run to the workers, in the caller's transaction; once is enough while it waits."""
    lock = f"{task} {run.pk}"
    with suppress(AlreadyEnqueued), transaction.atomic():
        app.configure_task(f"checkpoints.tasks.{task}", queueing_lock=lock).defer(run_id=str(run.pk))


def wait(run: Run, seconds: float, *, for_news: bool = False) -> Run:
    """Return the run once it has ended (or, *for_news*, moved on by a step), at the latest after *seconds*."""
    seen = (run.status, run.steps)
    deadline = time.monotonic() + seconds
    while not run.is_finished and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        run.refresh_from_db(fields=["status", "steps"])
        if for_news and (run.status, run.steps) != seen:
            break
    run.refresh_from_db()
    return run


def _fail(run: Run, cause: Exception, sentence: str, detail: str) -> None:
    run.refresh_from_db()  # what was not saved has not happened
    try:
        outcome = aftermath.undo(run, cause)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # a run that never ended would lock its owner out
        logger.exception("Run %s could not be undone", run.pk)
        outcome = "It is not known what it had changed by then; trying again makes sure."
    run.fail(f"{sentence} {outcome}", detail=detail, remedy=aftermath.remedy(run, cause))


@contextmanager
def _lock(run_id: uuid.UUID) -> Iterator[bool]:
    """Hold the run's advisory lock on a session of its own, which ends with this process whatever happens."""
    connection = connections.create_connection("default")
    name = [f"run {run_id}"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", name)
            held = cursor.fetchone()[0]
            try:
                yield held
            finally:
                if held:  # the server notices a closed session only later, and until then the run would seem at work
                    with suppress(OperationalError, InterfaceError):
                        cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", name)
    finally:
        connection.close()
