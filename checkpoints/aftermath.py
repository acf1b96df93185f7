"""What comes after a run: why it failed, what can be done about it, how it is undone, what it leaves to delete."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from checkpoints import safety, services
from checkpoints.errors import FlowError
from checkpoints.models import Run
from contacts import schema
from contacts.errors import AppDatabaseError, Unavailable
from neon import service as neon
from neon.errors import NeonError, PlanLimit, ProjectGone

# What a run can fail of; each has its sentence for people.
Expected: TypeAlias = NeonError | AppDatabaseError | FlowError


def cause(run: Run, error: Expected) -> Expected:
    """Return why a run failed: an app database that does not answer may be one whose project is gone."""
    if isinstance(error, Unavailable) and run.project and run.kind != Run.Kind.START:
        try:
            neon.connect().require_project(run.project.neon_project_id)
        except ProjectGone as gone:
            return gone
        except NeonError:
            pass
    return error


def remedy(run: Run, cause: Exception) -> Run.Remedy:
    """Say what a person can do about a failed run."""
    if _is_bereft(run, cause):
        return Run.Remedy.START
    if isinstance(cause, PlanLimit) and cause.limit == "snapshots" and run.kind != Run.Kind.START:
        return Run.Remedy.ROOM
    return cause.remedy if isinstance(cause, FlowError) else Run.Remedy.RETRY


def undo(run: Run, cause: Exception) -> str:
    """Undo what a failed run left half done, where that is possible, and say what state everything is in."""
    if _is_bereft(run, cause):
        return "Its checkpoints are gone with it, so start the demo again."
    match run.kind:
        case Run.Kind.START:
            # Asked for by name: the answer to its creation may have been lost.
            run.state["leftover"] = {"project_names": [services.neon_project_name(run)]}
            return "Nothing was changed."
        case Run.Kind.ADVANCE:
            return _undo_advance(run)
        case Run.Kind.DELETE:
            return _undo_delete(run)
        case _:
            return _undo_restore(run)


def clean_up(run: Run) -> None:
    """Save what a finished run replaced, and delete in Neon what it left behind or made in vain.

    What one refusal concerns stays to be tried again, and does not stop the rest; raises the first of them, a
    NeonError. A second time is harmless.
    """
    failures: list[NeonError] = []
    try:
        safety.save(run)
    except NeonError as error:
        failures.append(error)
    left = run.state.get("leftover", {})
    for kind, delete in _deletions().items():
        kept = []
        for what in left.pop(kind, []):
            try:
                delete(*what) if isinstance(what, list) else delete(what)
            except NeonError as error:
                failures.append(error)
                kept.append(what)
        if kept:
            left[kind] = kept
    if not left:
        run.state.pop("leftover", None)
    run.save(update_fields=["state"])
    if failures:
        raise failures[0]


def _deletions() -> dict[str, Callable[..., None]]:
    """Return how each kind of leftover is deleted, those first that are waited for: the others lock the project."""
    api = neon.connect()
    return {
        "projects": api.delete_project,
        "project_names": api.delete_project_named,
        "snapshots": safety.drop_snapshot,
        "branches": api.delete_branch,
        "snapshot_names": api.delete_snapshot_named,
    }


def _is_bereft(run: Run, cause: Exception) -> bool:
    """Tell whether the run's project is gone in Neon; a start that lost its new one still has the old one."""
    return isinstance(cause, ProjectGone) and run.kind != Run.Kind.START


def _undo_advance(run: Run) -> str:
    """Drop the columns that the prompt added: a restore of the head's snapshot would lose edits made since it."""
    if run.project is None or run.target is None or "columns" not in run.state:
        return "Nothing was changed."
    if "fingerprint" in run.state:  # the snapshot was asked for, and may have been taken
        run.state["leftover"] = {"snapshot_names": [[run.project.neon_project_id, str(run.pk)]]}
    version = run.target.next_version
    try:
        if version is not None:
            schema.revert(run.project.database_url, version, keep=run.state["columns"])
    except AppDatabaseError:
        return "The prompt may have changed the database already; trying again goes on from there."
    return "The database is as it was."


def _undo_delete(run: Run) -> str:
    if run.state.get("leftover"):
        return "The checkpoint is gone; its snapshot is deleted as soon as that is possible."
    return "Nothing was deleted."


def _undo_restore(run: Run) -> str:
    """Find out on which side of the swap the restore failed, and record it."""
    project, target, before = run.project, run.target, run.state.get("branch_id")
    if project is None or before is None:
        return "The database is as it was."
    with suppress(NeonError):
        neon.connect().settle(project.neon_project_id)  # what is still under way decides it
        if neon.connect().default_branch(project.neon_project_id).id == before:
            return "The database is as it was."
        services.settle_swapped(run, project, target, before)
        return "The database is at the checkpoint now, and what it held before is being saved."
    run.state["unsure"] = before
    return "It is not known whether the database was restored; trying again makes sure."
