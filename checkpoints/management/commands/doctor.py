"""Find, and with --fix mend, whatever has drifted apart between the meta database, Neon and the app databases."""

import logging
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from checkpoints import doctor
from checkpoints.doctor import Drift
from checkpoints.errors import FlowError
from contacts.errors import AppDatabaseError
from neon.errors import NeonError

logger = logging.getLogger(__name__)

MINUTES_MAX = 365 * 24 * 60


class Command(BaseCommand):
    """Say each drift in a sentence; the exit code is 1 when one remains."""

    help = "List what has drifted apart between the meta database, Neon and the app databases; --fix mends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whether to mend, and what may still be under way."""
        parser.add_argument("--fix", action="store_true", help="mend it; without it nothing is changed")
        parser.add_argument(
            "--older-than",
            type=int,
            default=15,
            metavar="MINUTES",
            help="how long ago an action began, or ended, that may no longer be under way (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Say every expected failure in a sentence."""
        if not 0 <= options["older_than"] <= MINUTES_MAX:
            raise CommandError(f"--older-than takes a number of minutes from 0 to {MINUTES_MAX}, a year.")
        try:
            found, mended = self._examine(timedelta(minutes=options["older_than"]), fix=options["fix"])
        except NeonError as error:
            raise CommandError(error.sentence) from error
        except (OperationalError, InterfaceError, OSError) as error:
            # The lines that may follow are the driver's advice.
            raise CommandError((str(error).strip() or type(error).__name__).splitlines()[0]) from error
        if not found:
            self.stdout.write("Nothing has drifted.")
        elif not options["fix"]:
            raise CommandError(f"Found {found}, mended none. Add --fix to mend them.")
        elif mended < found:
            raise CommandError(f"Found {found}, mended {mended}.")
        else:
            self.stdout.write(f"Found {found}, mended {mended}.")

    def _examine(self, older_than: timedelta, *, fix: bool) -> tuple[int, int]:
        found = mended = 0
        for drift in doctor.examine(older_than=older_than):
            found += 1
            problem = self._problem(drift) if fix else ""
            mended += fix and not problem
            mark = self.style.ERROR("✗") if problem or not fix else self.style.SUCCESS("✓")
            self.stdout.write(f"{mark} {drift.sentence}" + (f"\n  {problem}" if problem else ""))
        return found, mended

    def _problem(self, drift: Drift) -> str:
        """Mend a drift, and say in a sentence why that did not work if it did not."""
        try:
            drift.mend()
        except (NeonError, AppDatabaseError, FlowError) as error:
            return error.sentence
        except (OperationalError, InterfaceError):
            raise  # the meta database is away: nothing else would work either
        except Exception:
            logger.exception("Not mended: %s", drift.sentence)
            return "Something unexpected went wrong; the log has it."
        return ""
