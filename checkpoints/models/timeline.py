"""A project's checkpoints as a line that can be drawn: so many at a time, however many there are."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checkpoints.models.projects import Checkpoint

SHOWN = 15
# Forks of forks of forks: further to the right there is no room on a phone, nor on the stack.
DEEPEST = 8


@dataclass(slots=True)
class Entry:
    """A place in the timeline: a checkpoint, and the lines that fork off after it.

    It is cut off when it was not made from the one above: that is not shown, or is further up.
    """

    checkpoint: "Checkpoint"
    is_cut: bool = False
    forks: list[list["Entry"]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A part of a project's checkpoints, the newest first, and the line that they are drawn as."""

    checkpoints: list["Checkpoint"]
    # Some others that are shown all the same.
    others: list["Checkpoint"]
    line: list[Entry]
    is_newest: bool
    # The one before which there are more.
    earlier: "Checkpoint | None"

    def get(self, pk: uuid.UUID | None) -> "Checkpoint | None":
        """Return one of those that are shown."""
        return next((checkpoint for checkpoint in (*self.checkpoints, *self.others) if checkpoint.pk == pk), None)

    def next(self, checkpoint: "Checkpoint") -> "Checkpoint | None":
        """Return the newest checkpoint that a prompt made from this one, and ask for it only if it may not be shown."""
        if not (self.is_newest and checkpoint in self.checkpoints):
            return checkpoint.next
        # All that were made since are shown as well.
        made = (each for each in self.checkpoints if each.parent_id == checkpoint.pk and each.kind == each.Kind.PROMPT)
        return next(made, None)


def draw(checkpoints: Iterable["Checkpoint"]) -> list[Entry]:
    """Return a tree, or a part of one, as a line: each checkpoint, its forks, then its oldest child.

    What was saved before a restore is always a fork: the line goes on with what a prompt made. One whose parent is not
    among them begins anew.
    """
    there = {checkpoint.pk: checkpoint for checkpoint in checkpoints}
    children: dict[uuid.UUID | None, list[Checkpoint]] = defaultdict(list)
    saved: dict[uuid.UUID | None, list[Checkpoint]] = defaultdict(list)
    for checkpoint in sorted(there.values(), key=lambda checkpoint: (checkpoint.created_at, checkpoint.pk)):
        branches = saved if checkpoint.kind == checkpoint.Kind.SAFETY else children
        branches[checkpoint.parent_id if checkpoint.parent_id in there else None].append(checkpoint)

    def line(waiting: list["Checkpoint"], above: uuid.UUID | None, depth: int) -> list[Entry]:
        entries = []
        while waiting:
            here = waiting.pop()
            entries.append(entry := Entry(here, is_cut=here.parent_id not in {None, above}))
            above = here.pk
            waiting += children[above][:1]
            forks = [*children[above][1:], *saved[above]]
            if depth < DEEPEST:
                entry.forks = [line([fork], above, depth + 1) for fork in forks]
            else:
                waiting += reversed(forks)
        return entries

    return line([*children[None], *saved[None]][::-1], None, 0)
