"""Undo the last restore of a user's database, from a terminal."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from checkpoints import runs
from checkpoints.models import Project, Run, Step


class Command(BaseCommand):
    """Return to what the last restore replaced."""

    help = "Return a user's database to what the last restore replaced. That can be undone in turn."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whose database it is."""
        parser.add_argument("--email", default="demo@example.com", help="whose database (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Undo, and say every expected failure in a sentence."""
        project = Project.objects.filter(owner__email__iexact=options["email"]).order_by("-created_at").first()
        if project is None:
            raise CommandError(f"{options['email']} has no project.")
        run = runs.begin(owner=project.owner, kind=Run.Kind.UNDO, project=project, queue=False)
        if run.kind != Run.Kind.UNDO:
            raise CommandError("Another action is at work on this database. Try again when it has ended.")
        runs.execute(run.pk, listener=self._say_step)
        run.refresh_from_db()
        if run.status != Run.Status.SUCCEEDED:
            raise CommandError(run.error or "The action is at work in another process. Try again in a moment.")
        self.stdout.write(f"The database is at {run.result}")

    def _say_step(self, step: Step) -> None:
        self.stdout.write(f"  {self.style.SUCCESS('✓')} {step.label}  {step.seconds:.1f} s")
