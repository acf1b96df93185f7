"""The whole demo from one command: database, project, first checkpoint, web server and worker."""

import io
import logging
import signal
import sys
import time
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any, NoReturn

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import Error as DatabaseError
from django.urls import reverse
from sesame.utils import get_query_string

from checkpoints import changes, processes, runs, services
from checkpoints.models import Checkpoint, Project, Run, Step
from contacts.errors import AppDatabaseError
from neon.errors import NeonError

HOST = "127.0.0.1"
START_SECONDS = 20
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Command(BaseCommand):
    """Prepare, start the demo for one user, and serve."""

    help = "Start the demo: prepare the databases, make the first checkpoint, serve the site."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the options."""
        parser.add_argument("--email", default="demo@example.com", help="whose demo (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="port of the site (default: %(default)s)")
        parser.add_argument("--reset", action="store_true", help="delete the user's project and start again")
        parser.add_argument("--yes", action="store_true", help="do not ask before --reset deletes")
        parser.add_argument("--no-serve", action="store_true", help="stop after the first checkpoint")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say every expected failure in a sentence."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # each step as it happens, into a pipe as well
        logging.getLogger("checkpoints.runs").setLevel(logging.ERROR)  # a failed run is said here, once
        for number in STOP_SIGNALS:
            signal.signal(number, _leave)
        try:
            self._check(options)
            self._prepare()
            user = self._user(options["email"])
            checkpoint = self._checkpoint(user, reset=options["reset"], agreed=options["yes"])
            if options["no_serve"]:
                self.stdout.write(f"http://{HOST}:{options['port']}{checkpoint.get_absolute_url()}")
            else:
                self._serve(user, checkpoint, options["port"])
        except (DatabaseError, OSError) as error:
            # The lines that may follow are the driver's advice.
            raise CommandError((str(error).strip() or type(error).__name__).splitlines()[0]) from error

    def _check(self, options: dict[str, Any]) -> None:
        try:
            validate_email(options["email"])
        except ValidationError:
            raise CommandError(f"--email {options['email']} is not an email address.") from None
        if not 1 <= options["port"] <= 65535:
            raise CommandError("--port takes a number from 1 to 65535.")
        if not (settings.LOCAL or options["no_serve"]):
            raise CommandError("start_demo serves a local site only. Unset ALLOWED_HOSTS, or add --no-serve.")

    def _prepare(self) -> None:
        self.stdout.write("Preparing the meta database and static files")
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)

    def _user(self, email: str) -> User:
        known = EmailAddress.objects.select_related("user").filter(email__iexact=email).first()
        user = known.user if known else User.objects.create_user(email, email)  # without a password: by link only
        if known is None:
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        if settings.LOCAL:
            user.is_staff = user.is_superuser = True  # may look around in the admin
            user.save()
        return user

    def _checkpoint(self, user: User, *, reset: bool, agreed: bool) -> Checkpoint:
        """Return where the user's database is, after making it when there is none, or anew."""
        project = Project.objects.current(user)
        unfinished = Run.objects.unfinished().filter(owner=user).first()
        if project and reset and not agreed:
            self._ask(project)
        if unfinished:
            self.stdout.write("Finishing what was at work")
            try:
                self._execute(unfinished)
            except CommandError as error:  # it has ended, and does not stand in the way
                self.stdout.write(str(error))
            project = Project.objects.current(user)
        if project is None or reset:
            self.stdout.write("Starting the demo")
            self._execute(runs.begin(owner=user, kind=Run.Kind.START, project=project, queue=False))
            project = Project.objects.current(user)
        if project is None or project.head is None:
            raise CommandError("There is no checkpoint yet. Run again with --reset.")
        self._say_where(project, project.head)
        return project.head

    def _ask(self, project: Project) -> None:
        if not sys.stdin.isatty():
            raise CommandError("--reset deletes the project. Add --yes to agree.")
        if changes.look(project):
            self.stdout.write("Its database has changed, or may have, since its last checkpoint.")
        count = project.checkpoints.count()
        answer = input(f"Delete {project.name}, its {count} checkpoints and all contacts in it, for good? [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was changed.")

    def _execute(self, run: Run) -> None:
        runs.execute(run.pk, listener=self._say_step)
        run.refresh_from_db()
        if run.status != Run.Status.SUCCEEDED:
            raise CommandError(run.error or "The action is at work in another process. Try again in a moment.")
        with suppress(NeonError):  # a worker repeats it
            runs.clean_up(run.pk)

    def _say_step(self, step: Step) -> None:
        self.stdout.write(f"  {self.style.SUCCESS('✓')} {step.label}  {step.seconds:.1f} s")

    def _say_where(self, project: Project, head: Checkpoint) -> None:
        try:
            services.refresh_database_url(project)
            state = "changed since" if services.differs(project, head) else "as recorded"
        except NeonError as error:
            raise CommandError(f"{error.sentence} --reset makes a new project.") from error
        except AppDatabaseError as error:
            state = error.sentence
        self.stdout.write(f"The database is at {head} ({state})")

    def _serve(self, user: User, checkpoint: Checkpoint, wanted: int) -> None:
        """Run web server and worker until one of them fails or somebody says stop."""
        port = processes.free_port(HOST, wanted)
        if port is None:
            raise CommandError(f"No port is free from {wanted} on. Choose another with --port.")
        if port != wanted:
            self.stdout.write(f"Port {wanted} is taken, so the site is on {port}")
        children: list[processes.Child] = []
        try:
            children.append(processes.worker())
            children.append(processes.web_server(HOST, port))
            self._await(children, port)
            self._announce(user, checkpoint, port)
            while True:
                self._look_after(children)
                time.sleep(0.2)
        finally:
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()

    def _look_after(self, children: list[processes.Child]) -> None:
        for child in children:
            if not child.revive():
                raise CommandError(f"The {child.name} keeps ending; its output above says why.")

    def _await(self, children: list[processes.Child], port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not processes.answers(HOST, port):
            self._look_after(children)
            if time.monotonic() > deadline:
                raise CommandError(f"The web server did not answer within {START_SECONDS} s.")
            time.sleep(0.05)

    def _announce(self, user: User, checkpoint: Checkpoint, port: int) -> None:
        site = f"http://{HOST}:{port}"
        self.stdout.write(f"Checkpoint  {site}{checkpoint.get_absolute_url()}")
        self.stdout.write(f"Sign in     {site}{reverse('demo_sign_in')}{get_query_string(user)}")
        self.stdout.write("The link works once, for ten minutes. Ctrl-C stops everything.")


def _leave(number: int, frame: Any) -> NoReturn:
    """Turn a signal into an ordinary exit, which stops the children and then the embedded server."""
    for again in STOP_SIGNALS:
        signal.signal(again, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
    raise SystemExit(0)
