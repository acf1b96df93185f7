"""Why an action cannot be done, where the reason lies in the data.

FlowError
├── Moved           the app database is at another checkpoint by now
├── Gone            the project or the checkpoint was deleted
├── LastPrompt      there is nothing to advance to
├── NotRestored     the restored database is not what its checkpoint recorded
├── Kept            the checkpoint may not be deleted
├── NoRoom          the plan holds no more snapshots
├── NothingToUndo   no restore led to where the database is
└── BeingEdited     somebody's edit does not end
"""

from checkpoints.models import Run


class FlowError(Exception):
    """An action cannot be done; ``sentence`` is for people, ``remedy`` is what they can do about it."""

    remedy = Run.Remedy.RETRY

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Moved(FlowError):
    """The app database is no longer at the checkpoint that the action started from."""

    remedy = Run.Remedy.NONE

    def __init__(self) -> None:
        super().__init__("The database has moved to another checkpoint in the meantime.")


class Gone(FlowError):
    """The project or checkpoint that the action is about was deleted in the meantime."""

    remedy = Run.Remedy.NONE


class LastPrompt(FlowError):
    """No prompt follows the one that the database is at."""

    remedy = Run.Remedy.NONE

    def __init__(self) -> None:
        super().__init__("That was the last prompt.")


class NotRestored(FlowError):
    """The restored database is not what its checkpoint recorded."""

    def __init__(self) -> None:
        super().__init__("The restored database differs from its checkpoint.")


class Kept(FlowError):
    """The checkpoint may not be deleted: it is pinned, or the database is there."""

    remedy = Run.Remedy.NONE


class NoRoom(FlowError):
    """The plan is known to hold no more snapshots, and the action would need one."""

    remedy = Run.Remedy.ROOM


class NothingToUndo(FlowError):
    """No restore led to where the database is, or what it replaced is not kept any more."""

    remedy = Run.Remedy.NONE

    def __init__(self) -> None:
        super().__init__("There is no restore to undo.")


class BeingEdited(FlowError):
    """An edit of the app database has not ended, and a swap would put it into another checkpoint."""

    def __init__(self) -> None:
        super().__init__("An edit of this database is still at work.")
