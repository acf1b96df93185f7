"""Runs: begun once per owner, executed by whoever holds the run's lock, resumed after a kill."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from psycopg import sql

from checkpoints import aftermath, locks, services
from checkpoints.errors import FlowError, Gone
from checkpoints.models import Checkpoint, Project, Run, Step, plan
from contacts.errors import AppDatabaseError
from neon.errors import NeonError

logger = logging.getLogger(__name__)

VERBS = {
    Run.Kind.START: services.start,
    Run.Kind.ADVANCE: services.advance,
    Run.Kind.RESTORE: services.restore,
    Run.Kind.UNDO: services.undo,
    Run.Kind.DELETE: services.delete,
}
# Whoever waits for a run is told of news. A look now and then is for where that does not come through, as within a
# transaction.
LOOK_SECONDS = 0.1
# News of a step are held back that long: the run may be about to end, and then its end is all that is to be shown.
GATHER_SECONDS = 0.1
# Whoever has executed a run queues its clean-up, and gives up its lock only then.
RELEASE_SECONDS = 5
# Until then somebody is shown what the run led to, and the clean-up would take its share of the processor from that.
CLEAN_UP_AFTER_SECONDS = 0.5


def begin(
    *,
    owner: Any,
    kind: Run.Kind,
    project: Project | None = None,
    target: Checkpoint | None = None,
    queue: bool = True,
    seen: datetime | None = None,
    **facts: Any,
) -> Run:
    """Return a new run of the owner's, queued for a worker, or the unfinished one that the owner already has.

    *facts* are what the person has decided: the checkpoint to ``prune``, to leave what is replaced ``unsaved``, the
    run that an undo ``undoes``. A constraint settles double clicks: of two that come at once, one gets the other's
    run. One that comes when that has ended gets it too, as the page that it is on was *seen* before. Raises Gone when
    project or target was deleted since the caller looked.
    """
    new = {"owner": owner, "kind": kind, "project": project, "target": target, "steps": plan(kind), "state": facts}
    while True:
        try:
            with transaction.atomic():
                run = Run.objects.create(**new)
                if seen and (done := Run.objects.same(run, seen)):  # looked for now that nothing else is unfinished
                    transaction.set_rollback(True)
                    return done
                if queue:
                    enqueue("execute", run)
                return run
        except IntegrityError as error:
            if "one_unfinished_run_per_owner" not in str(error):
                raise Gone("That project or checkpoint is gone.") from error
            if unfinished := Run.objects.unfinished().filter(owner=owner).first():
                return unfinished  # else it has just finished, and the way is free


def execute(run_id: uuid.UUID, listener: Callable[[Step], None] | None = None) -> None:
    """Execute a run to its end, unless somebody else is at it or it has ended."""
    with locks.run(run_id) as held:
        run = Run.objects.select_related("owner", "project__head", "target").filter(pk=run_id).first()
        if not held or run is None or run.is_finished:
            return
        run.listener = listener
        run.begin()
        try:
            VERBS[Run.Kind(run.kind)](run)
        except (NeonError, AppDatabaseError, FlowError) as error:
            cause = aftermath.cause(run, error)
            logger.warning("Run %s failed: %s", run.pk, cause)
            _fail(run, cause, cause.sentence, detail=f"{type(cause).__name__}: {cause}")
        except (OperationalError, InterfaceError):
            raise  # the meta database is away: the run stays as it is and is resumed
        except Exception as error:
            logger.exception("Run %s failed", run.pk)
            _fail(run, error, "Something unexpected went wrong.", detail=type(error).__name__)
        if "leftover" in run.state:
            enqueue("clean_up", run, seconds=CLEAN_UP_AFTER_SECONDS)


def resume() -> None:
    """Queue every unfinished run once more; execution finds out whether its process died or is still at it."""
    for run in Run.objects.unfinished().order_by("created_at"):
        enqueue("execute", run)


def clean_up(run_id: uuid.UUID) -> None:
    """Save what a finished run replaced, and delete in Neon what it left."""
    with locks.run(run_id, seconds=RELEASE_SECONDS) as held:
        run = Run.objects.with_leftovers().select_related("project", "target", "origin").filter(pk=run_id).first()
        if held and run:
            aftermath.clean_up(run)


def give_up(run_id: uuid.UUID) -> bool:
    """End an unfinished run as failed, with what it left to be cleaned up; False when some process is at it."""
    with locks.run(run_id) as held:
        run = Run.objects.select_related("owner", "project", "target").filter(pk=run_id).first()
        if held and run and not run.is_finished:
            cause = FlowError("Nobody finished this action, so it was given up.")
            _fail(run, cause, cause.sentence, detail="given up")
        return held


def enqueue_clean_ups() -> None:
    """Queue the clean-up of every finished run that still has something to clean up."""
    for run in Run.objects.with_leftovers().order_by("created_at"):
        enqueue("clean_up", run)


def enqueue(task: str, run: Run, *, seconds: float = 0) -> None:
    """Hand a run to the workers for *seconds* from now, in the caller's transaction; once is enough while it waits."""
    later = {"seconds": seconds} if seconds else None
    job = app.configure_task(f"checkpoints.tasks.{task}", queueing_lock=f"{task} {run.pk}", schedule_in=later)
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(run_id=str(run.pk))


def wait(
    run: Run, seconds: float, *, for_news: bool = False, at_step: Mapping[str, Callable[[], object]] | None = None
) -> None:
    """Wait until a run has ended (or, *for_news*, until a moment after its next step), at the latest for *seconds*.

    Meanwhile the functions in *at_step* are called when the steps of these names begin, if that is noticed.
    """
    seen, at_step, deadline = (run.status, run.steps), at_step or {}, time.monotonic() + seconds
    progress = Run.objects.filter(pk=run.pk).values_list("status", "steps")
    with _listening(run) as session:
        while (found := progress.first()) and found[0] in Run.UNFINISHED:
            if for_news and found != seen:
                deadline, for_news = min(deadline, time.monotonic() + GATHER_SECONDS), False
            left = deadline - time.monotonic()
            if left <= 0:
                return
            step = ""
            with closing(session.notifies(timeout=min(left, LOOK_SECONDS))) as news:  # meanwhile it answers nothing
                for told in news:
                    status, _, step = told.payload.partition(" ")
                    if status not in Run.UNFINISHED:
                        return
                    if for_news or step in at_step:
                        break
            if step in at_step:
                at_step[step]()


@contextmanager
def _listening(run: Run) -> Iterator[psycopg.Connection[Any]]:
    """Lend this thread's session to the meta database, to which news of a run are told meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(f"run_{run.pk.hex}")))
        try:
            yield connection.connection
        finally:
            cursor.execute("UNLISTEN *")


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
