"""What has drifted apart between the meta database, Neon and the app databases, and how each of it is mended.

The rule of ``cleanup`` holds here too: nothing in Neon is deleted for its name alone. A snapshot or a branch goes only
when a run of this site made or replaced it, has ended, and has nothing left to do with it. What a person has made in a
project by other ways stays, and is no drift.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db.models import QuerySet

from checkpoints import cleanup, services
from checkpoints.errors import FlowError
from checkpoints.models import Checkpoint, Project, Run
from contacts.errors import AppDatabaseError, Unavailable
from contacts.fingerprint import Fingerprint, compare, take
from neon import service as neon
from neon.errors import NeonError, ProjectGone
from neon.types import Branch, Snapshot


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that is not as it should be; ``mend`` raises NeonError, AppDatabaseError or FlowError if it cannot."""

    sentence: str
    mend: Callable[[], object] = field(repr=False)


def examine(*, older_than: timedelta) -> Iterator[Drift]:
    """Find every drift, one after the other, so that the later ones are looked for when the earlier ones are mended.

    What a run has begun, or left to be cleaned up, counts only when that was *older_than* ago: it may be under way.
    Raises NeonError.
    """
    for run in Run.objects.filter(state__has_key="unsure").exclude(status__in=Run.UNFINISHED).order_by("created_at"):
        yield from _unsure(run)
    for item in cleanup.orphans(older_than=older_than, left_for=older_than).items:
        yield Drift(f"{item.label[0].upper()}{item.label[1:]}.", item.delete)
    for sentence in neon.overdue():
        yield Drift(sentence, neon.upkeep)
    for project in Project.objects.select_related("owner", "head").order_by("created_at").iterator(chunk_size=100):
        try:
            yield from _of_project(project)
        except ProjectGone:
            continue  # has been found above
        except (NeonError, AppDatabaseError) as error:
            yield Drift(f"Project {project} could not be looked at: {error.sentence}", partial(_again, error))


def _unsure(run: Run) -> Iterator[Drift]:
    if project := run.project:
        yield Drift(
            f"Project {project}: it is not known whether a restore has come through.",
            partial(_unless_at_work, project, partial(services.find_out, project)),
        )


def _of_project(project: Project) -> Iterator[Drift]:
    # What was there before and after Neon was asked is not just coming or going.
    before: set[object] = set(project.checkpoints.values_list("pk", flat=True))
    snapshots = neon.connect().snapshots(project.neon_project_id)
    branches = neon.connect().branches(project.neon_project_id)
    if Run.objects.unfinished().filter(owner=project.owner_id).exists():
        return  # the next look will tell
    project.refresh_from_db(fields=["head", "database_url"])
    yield from _surplus_snapshots(project, snapshots)
    yield from _surplus_branches(project, branches)
    yield from _lost_snapshots(project, snapshots, before)
    yield from _wrong_head(project, snapshots, branches)


def _surplus_snapshots(project: Project, snapshots: Sequence[Snapshot]) -> Iterator[Drift]:
    """Find the snapshots that runs have made for checkpoints which are not there."""
    names = {snapshot.name for snapshot in snapshots if _is_id(snapshot.name)}
    # In this order: a run that has ended has recorded its checkpoint, and has nothing left that is still to go.
    ended = {str(pk) for pk in _settled(project).filter(pk__in=names).values_list("pk", flat=True)}
    kept = set(project.checkpoints.values_list("snapshot_id", flat=True)) | _doomed(project)
    for snapshot in snapshots:
        if snapshot.name in ended and snapshot.id not in kept:
            yield Drift(
                f"Project {project}: snapshot {snapshot.id} belongs to no checkpoint.",
                partial(cleanup.delete_snapshot, project, snapshot.id, None),
            )


def _surplus_branches(project: Project, branches: Sequence[Branch]) -> Iterator[Drift]:
    """Find the branches that restores have replaced and done with, and that are still there."""
    replaced = _settled(project).filter(kind__in=Run.SWAPS, result__isnull=False)
    done_with = set(replaced.values_list("state__branch_id", flat=True)) - cleanup.unsaved_branches(project)
    needed = {branch.parent_id for branch in branches}
    for branch in branches:
        if branch.id in done_with and not branch.default and branch.id not in needed:
            yield Drift(
                f"Project {project}: branch {branch.name} ({branch.id}) was replaced by a restore, and is still there.",
                partial(cleanup.delete_branch, project, branch.id),
            )


def _lost_snapshots(project: Project, snapshots: Sequence[Snapshot], before: set[object]) -> Iterator[Drift]:
    """Find the checkpoints that cannot be returned to, because their snapshot is gone."""
    there = {snapshot.id for snapshot in snapshots}
    for checkpoint in project.checkpoints.exclude(snapshot_id__in=there).order_by("created_at"):
        if checkpoint.pk in before:
            yield Drift(
                f"Project {project}: the snapshot of checkpoint {checkpoint} is gone.",
                partial(_unless_at_work, project, partial(_mend_lost, project, checkpoint)),
            )


def _wrong_head(project: Project, snapshots: Sequence[Snapshot], branches: Sequence[Branch]) -> Iterator[Drift]:
    """Find out whether the app database is exactly at another checkpoint than its head.

    At none of them, it has been changed since, which is no drift.
    """
    head = project.head
    try:
        if head and (not head.fingerprint or not services.differs(project, head)):
            return
        at = next(
            (each for each in _comparable(project, snapshots, branches) if not services.differs(project, each)), None
        )
    except Unavailable:
        if neon.connect().connection_uri(project.neon_project_id) == project.database_url:
            raise
        yield Drift(
            f"Project {project}: the app database is not where its connection string leads.",
            partial(services.refresh_database_url, project),
        )
        return
    if at:
        yield Drift(
            f"Project {project}: the app database is at {at}, not at {head}.",
            partial(_unless_at_work, project, partial(_move_head, project, at)),
        )


def _move_head(project: Project, at: Checkpoint) -> None:
    """Move the head, unless the database has moved on since it was looked at."""
    if not services.differs(project, at):
        services.move_head(project, at)


def _comparable(project: Project, snapshots: Sequence[Snapshot], branches: Sequence[Branch]) -> list[Checkpoint]:
    """Return the checkpoints in the history of the default branch: with others a comparison may err."""
    default = next(branch for branch in branches if branch.default)
    line = {snapshot.id for snapshot in snapshots if snapshot.source_branch_id == default.id}
    found = project.checkpoints.filter(snapshot_id__in=line | {default.restored_from or ""}).exclude(fingerprint={})
    return [checkpoint for checkpoint in found.order_by("-created_at") if checkpoint.pk != project.head_id]


def _mend_lost(project: Project, checkpoint: Checkpoint) -> None:
    """Forget a checkpoint whose snapshot is gone; at the head, let it be what the database holds now."""
    if checkpoint.snapshot_id in {snapshot.id for snapshot in neon.connect().snapshots(project.neon_project_id)}:
        return  # Neon has erred, not we
    project.refresh_from_db(fields=["head"])
    if checkpoint.pk == project.head_id:
        _snapshot_again(project, checkpoint)
    else:
        cleanup.forget_checkpoint(checkpoint)


def _snapshot_again(project: Project, head: Checkpoint) -> None:
    name = f"{head.pk} again"
    neon.connect().delete_snapshot_named(project.neon_project_id, name)  # of a doctor that was killed
    fingerprint = take(project.database_url).to_json()
    head.snapshot_id = neon.connect().snapshot(project.neon_project_id, name).id
    written = compare(project.database_url, Fingerprint.from_json(fingerprint))
    head.fingerprint = {} if written else fingerprint
    head.save(update_fields=["snapshot_id", "fingerprint"])


def _settled(project: Project) -> QuerySet[Run]:
    """Return the owner's runs that have ended and left nothing."""
    ended = Run.objects.filter(owner=project.owner_id).exclude(status__in=Run.UNFINISHED)
    return ended.exclude(state__has_key="leftover")


def _doomed(project: Project) -> set[str]:
    """Return the snapshots that are still to be deleted by the clean-ups of runs."""
    left = Run.objects.with_leftovers().filter(owner=project.owner_id).values_list("state__leftover", flat=True)
    return {snapshot_id for each in left for _, snapshot_id in each.get("snapshots", [])}


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _unless_at_work(project: Project, mend: Callable[[], object]) -> None:
    cleanup.refuse_while_at_work(project.owner_id)
    mend()


def _again(error: NeonError | AppDatabaseError | FlowError) -> None:
    raise error
