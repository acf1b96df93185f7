"""The command neon_cleanup as a person calls it, and what there is for it to find."""

import io
import re
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

from django.core.management import CommandError, call_command
from django.utils import timezone

from checkpoints import locks, runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon import service as neon
from tests.checkpoints.demo import NEVER_SHOWN

SECRET = "postgresql://somebody:s3cret@db.example.com/neondb"
PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
AT_WORK = "An action is at work on it. Try again when that has ended."


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self):
        return True


def clean(*arguments, out=None, **options):
    """Call the command, and return what it writes, and what it ends with when that is an error."""
    out, error = out or io.StringIO(), ""
    try:
        call_command("neon_cleanup", *arguments, stdout=out, **options)
    except CommandError as refusal:
        error = str(refusal)
    said = SimpleNamespace(output=out.getvalue(), error=error)
    assert not NEVER_SHOWN.search(said.output + said.error)
    return said


def summary(said):
    """Return how many were found, deleted and failed."""
    found = re.search(r"Found (\d+), deleted (\d+), failed (\d+)\.", said.output)
    return tuple(map(int, found.groups())) if found else said.output.splitlines()[-1]


def in_neon():
    """Return the ids of all projects in Neon."""
    return {project.id for project in neon.connect().projects("")}


def in_meta():
    """Return what the meta database holds of projects and checkpoints, and how the runs stand."""
    return (
        set(Project.objects.values_list("pk", "head", "neon_project_id")),
        set(Checkpoint.objects.values_list("pk", "parent", "snapshot_id")),
        set(Run.objects.values_list("pk", "status")),
    )


def unreferenced(project):
    """Take a snapshot that no checkpoint will refer to, and return its id."""
    return neon.connect().snapshot(project.neon_project_id, "nobody's").id


def half_started(owner, *, age=timedelta()):
    """Leave a start as a kill after its first step does, and return the run and its project in Neon."""
    run = runs.begin(owner=owner, kind=Run.Kind.START, queue=False)
    run.begin()
    with run.step("create"):
        run.state["neon_project_id"] = neon.connect().create_project(services.neon_project_name(run)).project_id
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - age)
    return run, run.state["neon_project_id"]


@contextmanager
def at_work(run):
    """Be the process that executes a run."""
    with locks.run(run.pk) as held:
        assert held
        yield
