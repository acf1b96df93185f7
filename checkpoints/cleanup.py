"""What can be cleaned up: found first, then deleted one by one, so that one failure does not stop the rest.

Several sites may share a Neon account, and use the same names in it. So nothing in Neon is deleted for its name alone:
a row of this meta database has to refer to it, or a run of this meta database must have made it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain, islice
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from checkpoints import locks, runs, services
from checkpoints.errors import FlowError
from checkpoints.models import Checkpoint, Project, Run
from checkpoints.models.ids import begin_with
from neon import service as neon
from neon.types import Branch
from neon.types import Project as NeonProject

PROJECT_NAME = re.compile(rf"{services.PROJECT_PREFIX}-\d+-([0-9a-f]{{8}})")
LEFTOVERS = {
    "projects": "the project that it replaced",
    "project_names": "the project that it made in vain",
    "replaced": "the branch that it replaced, to be saved",
    "branches": "the branch that it replaced",
    "snapshots": "the snapshot of a checkpoint that it deleted",
    "snapshot_names": "the snapshot that it made in vain",
}
# How many of Neon's projects are compared with the rows at once: a page of theirs.
BATCH = 400


@dataclass(frozen=True, slots=True)
class Item:
    """Something to delete; ``delete`` raises NeonError or FlowError where that does not work."""

    label: str
    delete: Callable[[], None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be deleted, some of it looked up only while it is, and what else a person should know."""

    count: int
    items: Iterable[Item]
    notes: Sequence[str] = ()


class AtWork(FlowError):
    """An action is at work on what should be deleted."""

    def __init__(self) -> None:
        super().__init__("An action is at work on it. Try again when that has ended.")


def demo_content() -> Found:
    """Find all projects and checkpoints of this site, and what its runs left in Neon; users and runs stay."""
    unfinished = [_given_up(run) for run in Run.objects.unfinished().select_related("owner").order_by("created_at")]
    left = _left_by_runs()
    projects = Project.objects.select_related("owner").annotate(Count("checkpoints")).order_by("created_at")
    unreferenced, _ = _compare_with_neon()
    return Found(
        len(unfinished) + len(left) + projects.count() + len(unreferenced),
        chain(unfinished, left, map(_whole_project, projects.iterator(chunk_size=100)), unreferenced),
    )


def orphans(*, older_than: timedelta, left_for: timedelta = timedelta(), all_gone: bool = False) -> Found:
    """Find what nobody needs any more: in Neon what no row refers to, rows without Neon project, abandoned runs.

    A worker resumes a run whose process died within seconds. One that is still unfinished after *older_than*, and at
    which nobody is, counts as abandoned. What runs have left counts when they ended *left_for* ago.
    """
    old = Run.objects.unfinished().select_related("owner").filter(created_at__lte=timezone.now() - older_than)
    abandoned = [run for run in old.order_by("created_at") if not locks.is_executed(run.pk)]
    unreferenced, known = _compare_with_neon()
    busy = Run.objects.unfinished().exclude(pk__in=[run.pk for run in abandoned]).values("owner")
    gone, notes = _gone(known, busy_owners={row["owner"] for row in busy}, all_gone=all_gone)
    items = [*map(_given_up, abandoned), *_left_by_runs(left_for), *unreferenced, *gone]
    return Found(len(items), items, notes)


def snapshots(project: Project, *, referenced: bool) -> Found:
    """Find a project's snapshots that no checkpoint refers to, or with *referenced* all of them.

    Without its snapshot a checkpoint cannot be returned to, so it goes too, and its children move up to its parent.
    Only the head stays, because it says where the database is and what the next prompt is.
    """
    taken = neon.connect().snapshots(project.neon_project_id)  # before the rows: else a new one seems unreferenced
    refuse_while_at_work(project.owner_id)
    # A clean-up may just be taking one; it has its checkpoint, or is still among these.
    coming = {str(pk) for pk in Run.objects.with_unsaved(project).values_list("pk", flat=True)}
    checkpoints = {checkpoint.snapshot_id: checkpoint for checkpoint in project.checkpoints.order_by("created_at")}
    items, kept = [], 0
    for snapshot in sorted(taken, key=lambda snapshot: snapshot.created_at, reverse=True):
        checkpoint = checkpoints.pop(snapshot.id, None)
        if checkpoint is None and snapshot.name in coming:
            continue
        if checkpoint and not referenced:
            kept += 1
        else:
            label = f"snapshot {snapshot.id}: {_fate(checkpoint, project)}"
            items.append(Item(label, partial(delete_snapshot, project, snapshot.id, checkpoint)))
    for checkpoint in reversed(checkpoints.values()) if referenced else ():
        if checkpoint.pk != project.head_id:
            label = f"checkpoint {checkpoint}: its snapshot is gone"
            items.append(Item(label, partial(forget_checkpoint, checkpoint)))
    note = f"Checkpoints refer to {kept} more, which stay; --all deletes them, and the checkpoints with them."
    return Found(len(items), items, [note] if kept else [])


def branches(project: Project) -> Found:
    """Find a project's branches but the default one and those that it was made from, the children first."""
    every = {branch.id: branch for branch in neon.connect().branches(project.neon_project_id)}
    refuse_while_at_work(project.owner_id)
    kept = {id for branch in every.values() if branch.default for id in _line(branch, every)}
    kept |= (unsaved := (unsaved_branches(project) & every.keys()) - kept)
    doomed = sorted(
        (branch for branch in every.values() if branch.id not in kept),
        key=lambda branch: len(_line(branch, every)),
        reverse=True,
    )
    items = [
        Item(f"branch {branch.name} ({branch.id})", partial(delete_branch, project, branch.id)) for branch in doomed
    ]
    notes = [f"The branch {every[id].name} stays until what it holds is saved." for id in unsaved]
    names = ", ".join(every[id].name for id in kept - unsaved if not every[id].default)
    notes += [f"The default branch was made from {names}, which stays."] if names else []
    return Found(len(items), items, notes)


def unsaved_branches(project: Project) -> set[str]:
    """Return the ids of the branches that restores have replaced, or may have, and that are not saved yet."""
    saving = Run.objects.with_unsaved(project).values_list("state__leftover__replaced", flat=True)
    unsure = Run.objects.filter(project=project, state__has_key="unsure").values_list("state__unsure", flat=True)
    return {branch_id for _, branch_id in saving} | set(unsure)


def project_called(wanted: str) -> Project:
    """Return the project with this id, name or id in Neon; raises FlowError."""
    query = Q(name=wanted) | Q(neon_project_id=wanted)
    with suppress(ValueError):
        query |= Q(pk=UUID(wanted))
    found = list(Project.objects.select_related("owner", "head").filter(query)[:2])
    if not found:
        raise FlowError(f"This site has no project {wanted}.")
    if len(found) > 1:
        raise FlowError(f"There are several projects {wanted}. Give the id of one of them.")
    return found[0]


# Runs


def _given_up(run: Run) -> Item:
    since = run.created_at.strftime("%Y-%m-%d %H:%M")
    return Item(f"run {run} of {run.owner}: not finished since {since}", partial(_give_up, run))


def _give_up(run: Run) -> None:
    """Record as failed a run that nobody is at, and delete what it left."""
    if not runs.give_up(run.pk):
        raise AtWork
    runs.clean_up(run.pk)


def _left_by_runs(left_for: timedelta = timedelta()) -> list[Item]:
    ended = Run.objects.with_leftovers().filter(finished_at__lte=timezone.now() - left_for)
    return [
        Item(
            f"run {run} of {run.owner}: left {', '.join(LEFTOVERS[kind] for kind in run.state['leftover'])}",
            partial(runs.clean_up, run.pk),
        )
        for run in ended.select_related("owner").order_by("created_at")
    ]


def refuse_while_at_work(owner_id: int) -> None:
    """Raise AtWork while a run of the owner's has not ended."""
    if Run.objects.unfinished().filter(owner=owner_id).exists():
        raise AtWork


# Projects


def _compare_with_neon() -> tuple[list[Item], set[str]]:
    """Return Neon's projects that this site made and no row refers to, and the ids of those that a row refers to."""
    items, known = [], set()
    awaiting = _awaiting_clean_up()
    projects = neon.connect().projects(f"{services.PROJECT_PREFIX}-")
    while batch := list(islice(projects, BATCH)):
        made = _made_here(batch)  # before the rows: a run makes its row as it finishes
        ids = [project.id for project in batch]
        rows = set(Project.objects.filter(neon_project_id__in=ids).values_list("neon_project_id", flat=True))
        known |= rows
        items += [
            Item(
                f"Neon project {project.name} ({project.id}): no row refers to it",
                partial(_delete_unreferenced, project.id),
            )
            for project in batch
            if project.name in made and project.id not in rows and not awaiting & {project.id, project.name}
        ]
    return items, known


def _made_here(projects: Iterable[NeonProject]) -> set[str]:
    """Return which of the names were given by finished runs of this meta database, to a project of theirs."""
    beginnings = [match[1] for project in projects if (match := PROJECT_NAME.fullmatch(project.name))]
    started = Run.objects.filter(kind=Run.Kind.START).exclude(status__in=Run.UNFINISHED)
    return {services.neon_project_name(run) for run in started.filter(begin_with(beginnings)).only("owner_id")}


def _awaiting_clean_up() -> set[str]:
    """Return the ids and names of the projects that runs have left: those go with the runs."""
    states = Run.objects.with_leftovers().values_list("state__leftover", flat=True)
    return {text for left in states for kind in ("projects", "project_names") for text in left.get(kind, [])}


def _delete_unreferenced(neon_project_id: str) -> None:
    if not Project.objects.filter(neon_project_id=neon_project_id).exists():
        neon.connect().delete_project(neon_project_id)


def _whole_project(project: Project) -> Item:
    return Item(f"{_described(project)}: all of it", partial(_delete_project, project))


def _delete_project(project: Project) -> None:
    refuse_while_at_work(project.owner_id)
    services.delete_project(project)


def _gone(known: set[str], *, busy_owners: set[int], all_gone: bool) -> tuple[list[Item], list[str]]:
    """Return the rows whose project Neon does not know, unless that is so of all: then the key may be wrong."""
    rows = Project.objects.values_list("pk", "neon_project_id", "owner_id")
    missing = {pk: (id, owner) for pk, id, owner in rows if id not in known}
    if missing and not known and not all_gone:
        sentence = "Neon knows none of this site's projects. If NEON_API_KEY and NEON_ORG_ID are right, add --all-gone."
        return [Item(f"all {len(missing)} projects of this site: not in Neon", partial(_refuse, sentence))], [sentence]
    lost = [
        pk
        for pk, (id, owner) in missing.items()
        if owner not in busy_owners and not neon.connect().has_project(id)  # it may be there by another name
    ]
    projects = Project.objects.select_related("owner").annotate(Count("checkpoints")).order_by("created_at")
    return [
        Item(f"{_described(project)}: gone from Neon", partial(_forget_project, project))
        for project in projects.filter(pk__in=lost)
    ], []


def _refuse(sentence: str) -> None:
    raise FlowError(sentence)


def _forget_project(project: Project) -> None:
    """Delete a project here alone, unless somebody has recovered it in Neon meanwhile."""
    refuse_while_at_work(project.owner_id)
    if not neon.connect().has_project(project.neon_project_id):
        project.delete()


def _described(project: Project) -> str:
    count = project.checkpoints__count  # type: ignore[attr-defined]
    checkpoints = "1 checkpoint" if count == 1 else f"{count} checkpoints"
    return f"project {project.name} ({project.neon_project_id}) of {project.owner}, {checkpoints}"


# Snapshots and branches


def _fate(checkpoint: Checkpoint | None, project: Project) -> str:
    if checkpoint is None:
        return "no checkpoint refers to it"
    if checkpoint.pk == project.head_id:
        return f"checkpoint {checkpoint} stays, where the database is, but cannot be returned to"
    return f"with checkpoint {checkpoint}"


def delete_snapshot(project: Project, snapshot_id: str, checkpoint: Checkpoint | None) -> None:
    """Delete a snapshot, and the checkpoint that needs it."""
    refuse_while_at_work(project.owner_id)
    neon.connect().drop_snapshot(project.neon_project_id, snapshot_id)
    if checkpoint:
        forget_checkpoint(checkpoint)


def forget_checkpoint(checkpoint: Checkpoint) -> None:
    """Delete a checkpoint, unless the database is at it; its children become its parent's."""
    with transaction.atomic():
        project = Project.objects.select_for_update().filter(pk=checkpoint.project_id).first()
        if project and project.head_id != checkpoint.pk:
            checkpoint.forget()


def delete_branch(project: Project, branch_id: str) -> None:
    """Delete a branch."""
    refuse_while_at_work(project.owner_id)
    neon.connect().drop_branch(project.neon_project_id, branch_id)


def _line(branch: Branch, every: dict[str, Branch]) -> list[str]:
    """Return the ids of a branch and of those that it was made from, as far as they are there."""
    line = [branch.id]
    while (parent := every[line[-1]].parent_id) in every:
        line.append(parent)
    return line
