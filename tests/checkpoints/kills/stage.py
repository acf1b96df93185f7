"""A user with a database, what is done to it while something is killed, and what must be true afterwards."""

import io
import re

import psycopg
from django.core.management import call_command
from django.test import override_settings
from psycopg import sql

from checkpoints import runs, services
from checkpoints.models import Project, Run
from contacts.fingerprint import take
from neon.local.engine import upkeep
from tests.checkpoints import flows
from tests.neon.local import plane
from tests.waiting import until

# What a run says that could not find out, as nobody answered; trying again settles it.
UNSURE = (
    "It is not known whether the database was restored; trying again makes sure.",
    "The prompt may have changed the database already; trying again goes on from there.",
)
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"


def content(project):
    """Return all that an app database holds: its schema, its sequences, and every row of every table."""
    found = take(project.database_url)
    with psycopg.connect(project.database_url, autocommit=True) as app_database:
        names = [name for (name,) in app_database.execute(TABLES).fetchall()]
        query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1")
        rows = {name: app_database.execute(query.format(sql.Identifier(name))).fetchall() for name in names}
    return found.schema, found.sequences, rows


class Stage:
    """One flow: how it is prepared, where it leads to, what comes after it."""

    kind: Run.Kind
    fails = False

    def __init__(self, owner):
        self.owner = owner
        self.settings = {}
        self.edits = self.drifts = 0
        self.set()

    @property
    def project(self):
        """The owner's project as it is now."""
        return Project.objects.current(self.owner)

    def set(self):
        """Make what the flow begins with."""
        self.done(self.begin(Run.Kind.START))

    def prepare(self):
        """Write to the app database, so that there is something to lose."""
        self.edit()

    def ask(self):
        """Begin the flow."""
        return self.begin(self.kind)

    def is_new(self, run, now):
        """Tell whether this is what the app database holds after the flow."""
        raise NotImplementedError

    def go_on(self, run):
        """Do with one click what comes next, see what was kept, and return to where the flow begins."""
        raise NotImplementedError

    def begin(self, kind, target=None, **facts):
        """Begin a run, as a click does."""
        return runs.begin(owner=self.owner, kind=kind, project=self.project, target=target, queue=False, **facts)

    def finish(self, run):
        """Bring a run to its end, as the next worker does, and clean up."""
        until(lambda: flows.done(run).is_finished)
        until(self.is_cleaned_up)
        upkeep.run()
        return Run.objects.get(pk=run.pk)

    def is_cleaned_up(self):
        """Clean up, as a worker does, unless one is just at it, and tell whether nothing is left to be."""
        for each in Run.objects.with_leftovers():
            runs.clean_up(each.pk)
        return not Run.objects.with_leftovers().exists()

    def done(self, run):
        """Bring a run to its end, which must be a good one, and return where it led to."""
        run = self.finish(run)
        assert (run.status, run.error) == ("succeeded", ""), run.detail
        return run.result

    def heal(self):
        """Let the doctor mend whatever has drifted, so that it finds nothing more."""
        out = io.StringIO()
        call_command("doctor", "--fix", older_than=0, stdout=out)
        if found := re.match("Found (\\d+),", out.getvalue().splitlines()[-1]):
            self.drifts += int(found[1])
            upkeep.run()
            call_command("doctor", older_than=0, stdout=out)

    def edit(self):
        """Write to the app database past the site."""
        self.edits += 1
        values = f"('Edit {self.edits}', 'edit-{self.edits}@example.com')"
        flows.execute(self.project.database_url, f"INSERT INTO contacts (name, email) VALUES {values}")


def check(stage, run, old, head):
    """Hold everything against what must be true after a run and its clean-up."""
    project, now = stage.project, content(stage.project)
    if run.result:
        assert stage.is_new(run, now)
        assert project.head == run.result
        assert not services.differs(project, project.head)
    else:
        assert run.error.endswith(".")
        assert project.head == head
        assert now == old or (run.error.endswith(UNSURE) and stage.is_new(run, now))
    assert not Run.objects.unfinished().exists()
    assert flows.neon_projects(stage.owner) == {project.neon_project_id}
    if run.error.endswith(UNSURE):
        return
    assert flows.branches(project) == {"main"}
    assert flows.snapshots(project) == set(project.checkpoints.values_list("snapshot_id", flat=True))
    assert plane.memory("SELECT * FROM leftovers") == []
    assert plane.names_in_cluster() == plane.names_in_memory()


def settle(stage, run, old, head):
    """Bring a run, whatever has been killed, to its end, check everything, go on, and say how the run ended."""
    with override_settings(**stage.settings):
        upkeep.run()
        run.refresh_from_db()
        now = content(stage.project)
        assert now == old or stage.is_new(run, now)
        run = stage.finish(run)
    outcome = run.status
    stage.heal()
    run.refresh_from_db()
    check(stage, run, old, head)
    if not (run.result or stage.fails):
        run = stage.ask()
        stage.done(run)
        run.refresh_from_db()
        check(stage, run, old, head)
    stage.go_on(run)
    return outcome
