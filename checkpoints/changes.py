"""Whether an app database still is what its head recorded, whoever has written to it since."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from checkpoints.models import Project
from contacts.errors import AppDatabaseError
from contacts.fingerprint import Difference, Fingerprint, compare

# A person waits for it before every jump.
SECONDS = 2.0
# For app databases only, never for the ORM.
threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="app-database")


@dataclass(frozen=True, slots=True)
class Changes:
    """How an app database differs from its head; without a difference that is not known, and it may have changed."""

    difference: Difference | None = None

    def __bool__(self) -> bool:
        return self.difference is None or bool(self.difference)


def look(project: Project, *, seconds: float = SECONDS) -> Changes:
    """Say how the project's app database differs from its head, after *seconds* that it may have changed."""
    head = project.head
    if head is None or not head.fingerprint:
        return Changes()
    then = Fingerprint.from_json(head.fingerprint)
    try:
        return Changes(threads.submit(compare, project.database_url, then, seconds=seconds).result(seconds))
    except (AppDatabaseError, TimeoutError):
        return Changes()
