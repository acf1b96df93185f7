"""The steps of a run: which there are for each kind, and how far each has come."""

from dataclasses import dataclass

RESTORE = {
    "look": "Look for changes since the checkpoint",
    "restore": "Restore the snapshot",
    "verify": "Compare with the checkpoint",
    "record": "Record where the database is",
}
LABELS = {
    "start": {
        "create": "Create the Neon project",
        "apply": "Apply the first prompt",
        "snapshot": "Take a snapshot",
        "record": "Record the checkpoint",
    },
    "advance": {
        "apply": "Apply the prompt",
        "snapshot": "Take a snapshot",
        "record": "Record the checkpoint",
    },
    "restore": RESTORE,
    "undo": {"save": "Save what the restore replaced"} | RESTORE,
    "delete": {
        "forget": "Forget the checkpoint",
        "snapshot": "Delete its snapshot",
    },
}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run as people see it; ``seconds`` is None until it has finished."""

    name: str
    label: str
    state: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that is to be done; ``again`` when an earlier attempt may have begun it and had an effect."""

    again: bool


def plan(kind: str) -> list[dict[str, str | None]]:
    """Return the steps of a new run of that kind."""
    return [
        {"name": name, "label": label, "state": "waiting", "started": None, "finished": None}
        for name, label in LABELS[kind].items()
    ]
