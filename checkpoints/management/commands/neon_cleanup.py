"""Delete in Neon and in the meta database what is not wanted there; a dry run until --yes is given."""

import logging
import time
from argparse import ArgumentParser
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, OutputWrapper
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, ProgrammingError

from checkpoints import cleanup
from checkpoints.cleanup import Found, Item
from checkpoints.errors import FlowError
from neon import service as neon
from neon.errors import NeonError

logger = logging.getLogger(__name__)

MINUTES_MAX = 365 * 24 * 60
BAR_WIDTH = 30
BAR_SECONDS = 0.1


class Command(BaseCommand):
    """Find, say, and with --yes delete."""

    help = "Delete what is not wanted in Neon and in the meta database. Says what that would be; --yes deletes it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what is to be cleaned up, and how."""
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")

        def kind(name: str, text: str) -> ArgumentParser:
            command: ArgumentParser = kinds.add_parser(name, help=text, description=text)
            command.add_argument("--yes", action="store_true", help="delete; without it nothing is changed")
            return command

        kind("demo-content", "All projects and checkpoints of this site, here and in Neon. Users stay.")
        snapshots = kind("snapshots", "A project's snapshots.")
        which = snapshots.add_mutually_exclusive_group(required=True)
        which.add_argument("--unreferenced", action="store_true", help="those that no checkpoint refers to")
        which.add_argument("--all", action="store_true", help="all, and the checkpoints that need them")
        for command in (snapshots, kind("branches", "A project's branches, all but the default one.")):
            command.add_argument("project", metavar="PROJECT", help="its id, its name, or its id in Neon")
        orphans = kind("orphans", "Neon projects without a row, rows without a Neon project, abandoned runs.")
        orphans.add_argument(
            "--older-than",
            type=int,
            default=60,
            metavar="MINUTES",
            help="how long ago a run began that counts as abandoned when nobody is at it (default: %(default)s)",
        )
        orphans.add_argument("--all-gone", action="store_true", help="delete rows even if Neon knows none of them")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say every expected failure in a sentence."""
        try:
            found = self._find(options)
            if options["yes"]:
                self._delete(found, options["verbosity"])
            else:
                self._list(found)
        except (NeonError, FlowError) as error:
            raise CommandError(error.sentence) from error
        except ProgrammingError as error:
            if isinstance(error.__cause__, psycopg.errors.UndefinedTable):
                raise CommandError("The meta database is not prepared. Run manage.py migrate.") from error
            logger.exception("The clean-up failed")
            raise CommandError(UNFORESEEN) from error
        except (DatabaseError, OSError) as error:
            # The lines that may follow are the driver's advice.
            raise CommandError((str(error).strip() or type(error).__name__).splitlines()[0]) from error

    def _find(self, options: dict[str, Any]) -> Found:
        self.stdout.write(f"Looking in the meta database and in {self._neon}")
        match options["kind"]:
            case "demo-content":
                return cleanup.demo_content()
            case "snapshots":
                return cleanup.snapshots(cleanup.project_called(options["project"]), referenced=options["all"])
            case "branches":
                return cleanup.branches(cleanup.project_called(options["project"]))
            case _:
                if not 0 <= options["older_than"] <= MINUTES_MAX:
                    raise CommandError(f"--older-than takes a number of minutes from 0 to {MINUTES_MAX}, a year.")
                return cleanup.orphans(
                    older_than=timedelta(minutes=options["older_than"]), all_gone=options["all_gone"]
                )

    @property
    def _neon(self) -> str:
        return "the local control plane" if neon.is_local() else "Neon"

    def _list(self, found: Found) -> None:
        """Say what would be deleted."""
        count = 0
        for item in found.items:
            self.stdout.write(f"  {item.label}")
            count += 1
        self._note(found)
        self.stdout.write(f"Found {count}, deleted none: this is a dry run. Add --yes to delete." if count else NOTHING)

    def _delete(self, found: Found, verbosity: int) -> None:
        """Delete one after the other, whatever happens to any of them, and sum up."""
        count = failed = 0
        bar = Bar(self.stdout, found.count)
        try:
            for count, item in enumerate(found.items, start=1):
                bar.show(count - 1)
                if problem := self._problem(item, verbosity):
                    failed += 1
                    bar.clear()
                    self.stdout.write(self.style.ERROR(f"✗ {item.label}") + f"\n  {problem}")
                elif verbosity > 1:
                    bar.clear()
                    self.stdout.write(f"✓ {item.label}")
        except KeyboardInterrupt:
            bar.clear()
            raise CommandError(f"Stopped after {count - 1} of {found.count}, of which {failed} failed.") from None
        finally:
            bar.clear()
            with suppress(psycopg.Error):  # a worker repeats it
                neon.upkeep()
        self._note(found)
        self.stdout.write(f"Found {count}, deleted {count - failed}, failed {failed}." if count else NOTHING)
        if failed:
            raise CommandError("Not everything was deleted. What was is no longer found when this runs again.")

    def _problem(self, item: Item, verbosity: int) -> str:
        """Delete one item, and say in a sentence why that did not work if it did not."""
        try:
            item.delete()
        except (NeonError, FlowError) as error:
            return error.sentence if verbosity < 2 else f"{error.sentence} ({error})"
        except (OperationalError, InterfaceError):
            raise  # the meta database is away: nothing else would work either
        except Exception:
            logger.exception("%s could not be deleted", item.label)
            return UNFORESEEN
        return ""

    def _note(self, found: Found) -> None:
        for note in found.notes:
            self.stdout.write(self.style.WARNING(note))


NOTHING = "Found nothing to delete."
UNFORESEEN = "Something unexpected went wrong; the log has it."


class Bar:
    """A progress bar on the last line of a terminal; elsewhere nothing."""

    def __init__(self, out: OutputWrapper, total: int) -> None:
        self._out = out
        self._total = total
        self._shown_at = 0.0

    def show(self, done: int) -> None:
        """Draw how many are done, unless that was drawn a moment ago."""
        if not self._out.isatty() or time.monotonic() - self._shown_at < BAR_SECONDS:
            return
        filled = min(BAR_WIDTH, BAR_WIDTH * done // max(self._total, 1))
        self._out.write(f"\r[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done}/{self._total}", ending="")
        self._out.flush()
        self._shown_at = time.monotonic()

    def clear(self) -> None:
        """Leave the line to somebody else."""
        if self._shown_at:
            self._out.write("\r\x1b[K", ending="")
            self._shown_at = 0.0
