"""What a restore replaced: saved as a safety checkpoint if it was not what its head recorded, and only then deleted.

The branch itself is snapshotted, after the swap: whatever was written up to it is in there. A database that was as
recorded before the restore may have been written to in the moment until the swap, so the replaced branch is looked at
once more, through an endpoint of its own.
"""

import logging
from contextlib import suppress

from django.db import transaction

from checkpoints import errors, locks
from checkpoints.models import Checkpoint, Project, Run
from contacts import db
from contacts.errors import AppDatabaseError
from contacts.fingerprint import Fingerprint, compare
from neon import service as neon
from neon.errors import AccountError, BadRequest, NeonError, NotFound, PlanLimit, ProjectGone
from neon.types import Snapshot

logger = logging.getLogger(__name__)

# A clean-up that is under way may have to wait for Neon.
WAIT_SECONDS = 60


def make_room(run: Run, project: Project) -> None:
    """Delete the checkpoint that the run was told to delete, unless that is where it leads to."""
    if doomed := project.checkpoints.deletable(apart_from=run.target).filter(pk=run.state.get("prune")).first():
        forget(run, doomed)
    drop_snapshots(run)


def require_room(run: Run, project: Project, purpose: str) -> None:
    """Make room for a snapshot; raises NoRoom when the plan is known to hold no more all the same."""
    make_room(run, project)
    project.refresh_from_db(fields=["full_at"])
    if project.is_full and not run.state.get("anyway"):  # the plan may have grown, as a person may know
        raise errors.NoRoom(f"This Neon plan holds no more snapshots, and {purpose} needs one.")


def snapshot(project: Project, name: str, *, branch_id: str = "", lookup: bool) -> Snapshot:
    """Snapshot a branch of the project, or the default one, and learn from it whether the plan holds more."""
    try:
        taken = neon.connect().snapshot(project.neon_project_id, name, branch_id=branch_id, lookup=lookup)
    except PlanLimit as error:
        project.note_full(error.limit == "snapshots")
        raise
    project.note_full(False)
    return taken


def save_all(project: Project) -> None:
    """Settle what the project's restores have replaced; raises NeonError, and FlowError when that takes too long."""
    for run in Run.objects.with_unsaved(project):
        with locks.run(run.pk, seconds=WAIT_SECONDS) as held:
            if not held:
                raise errors.FlowError("What the last restore replaced is still being saved.")
            run.refresh_from_db()
            save(run)


def save(run: Run) -> None:
    """Save the branch that a run replaced, if need be, and leave it to be deleted; raises NeonError.

    Whoever calls holds the run's lock. Every part can be repeated after a kill.
    """
    if not run.is_unsaved:
        return
    left, project = run.state["leftover"], run.project
    _, branch_id = left["replaced"]
    kept = None
    if project:  # else it was deleted with all that was in it
        try:
            run.state.pop("trouble", None)
            if run.state["differs"] or _was_written_to(run, project, branch_id):
                kept = _snapshot(run, project, branch_id)
        except NotFound:
            logger.warning("Run %s: the branch that it replaced is gone.", run.pk)
        except NeonError as error:
            run.remember(trouble=error.sentence)  # for the page, which offers to undo it
            raise
    with transaction.atomic():
        if project and kept:
            project = Project.objects.select_for_update().get(pk=project.pk)  # its head may have moved meanwhile
            run.saved = _record(run, project, kept)
            run.state["saved"] = True
            under_way = set(Run.objects.under_way(project).values_list("target", flat=True))
            for surplus in Checkpoint.objects.surplus(project):
                if surplus.pk not in under_way:
                    with suppress(errors.Kept):
                        forget(run, surplus)
        run.leave("branches", left.pop("replaced"))
        run.save(update_fields=["saved", "state"])


def forget(run: Run, checkpoint: Checkpoint) -> None:
    """Forget a checkpoint, and have the run remember to delete its snapshot; raises Kept."""
    with transaction.atomic():
        project = Project.objects.select_for_update().get(pk=checkpoint.project_id)
        if project.head_id == checkpoint.pk:
            raise errors.Kept("The database is at this checkpoint, so it cannot be deleted.")
        checkpoint.refresh_from_db(fields=["pinned"])  # its owner may have pinned it a moment ago
        if checkpoint.pinned:
            raise errors.Kept("This checkpoint is pinned. Unpin it first.")
        if Run.objects.with_unsaved(project).filter(origin=checkpoint).exclude(pk=run.pk).exists():
            raise errors.Kept("What a jump from this checkpoint has replaced is still to be saved.")
        run.leave("snapshots", [project.neon_project_id, checkpoint.snapshot_id])
        run.save(update_fields=["state"])
        checkpoint.forget()


def drop_snapshots(run: Run) -> None:
    """Delete the snapshots of the checkpoints that the run has forgotten, and wait until there is room for others."""
    left = run.state.get("leftover", {})
    for project_id, snapshot_id in left.get("snapshots", []):
        drop_snapshot(project_id, snapshot_id)
    if left.pop("snapshots", None):
        run.save(update_fields=["state"])


def drop_snapshot(neon_project_id: str, snapshot_id: str) -> None:
    """Delete a snapshot, and note that there is room for another."""
    neon.connect().drop_snapshot(neon_project_id, snapshot_id)
    if project := Project.objects.filter(neon_project_id=neon_project_id).first():
        project.note_full(False)


def _was_written_to(run: Run, project: Project, branch_id: str) -> bool:
    """Look at a replaced branch once more: after the look before the restore, somebody may have written to it."""
    if run.origin is None or not run.origin.fingerprint:
        return True
    again = "opened" in run.state
    run.remember(opened=True)
    try:
        uri = neon.connect().open_branch(project.neon_project_id, branch_id, lookup=again)
    except ProjectGone:
        raise
    except (AccountError, BadRequest, NotFound):
        return True  # rather save it in vain
    try:
        difference = compare(uri, Fingerprint.from_json(run.origin.fingerprint))
    except AppDatabaseError:
        return True
    finally:
        db.forget(uri)
    if difference.now:
        run.remember(fingerprint=difference.now.to_json())
    return difference.is_of_content


def _snapshot(run: Run, project: Project, branch_id: str) -> Snapshot:
    again = "asked" in run.state
    run.remember(asked=True)
    return snapshot(project, str(run.pk), branch_id=branch_id, lookup=again)


def _record(run: Run, project: Project, kept: Snapshot) -> Checkpoint:
    where = run.target.version or run.target.kind if run.target else "another checkpoint"
    return Checkpoint.objects.create(
        project=project,
        parent=run.origin,
        prompt=f"Before the jump to {where}",
        version=run.state.get("version", ""),
        snapshot_id=kept.id,
        kind=Checkpoint.Kind.SAFETY,
        fingerprint=run.state.get("fingerprint", {}),
    )
