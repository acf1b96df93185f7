"""The flows on the stage."""

from checkpoints.models import Checkpoint, Project, Run
from tests.checkpoints import flows
from tests.checkpoints.kills.stage import Stage, content

FLOWS = ["Start", "Advance", "Refused", "Restore", "Undo", "Delete"]
PEOPLE = ["Ada Lovelace", "Alan Turing", "Grace Hopper"]


class Start(Stage):
    """The demo is started again, and takes the place of an older one, which has been edited."""

    kind = Run.Kind.START

    def set(self):
        super().set()
        self.schema = content(self.project)[0]

    def is_new(self, run, now):
        schema, _, rows = now
        names = [row.split(",")[1].strip('"') for (row,) in rows["contacts"]]
        return schema == self.schema and sorted(names) == PEOPLE

    @property
    def click(self):
        return "/start/", {"replace": str(self.project.pk)}

    def go_on(self, run):
        self.done(self.begin(Run.Kind.ADVANCE, self.project.head))


class Advance(Stage):
    """The second prompt is applied to a first version that has been edited."""

    kind = Run.Kind.ADVANCE

    def set(self):
        super().set()
        self.first = self.project.head
        self.prepare()
        second = self.done(self.ask())
        self.new = content(self.project)
        self.return_from(second)

    def prepare(self):
        flows.execute(self.project.database_url, "DELETE FROM contacts WHERE name = 'Alan Turing'")

    def ask(self):
        return self.begin(self.kind, self.first)

    def is_new(self, run, now):
        return now == self.new

    @property
    def click(self):
        return f"/checkpoints/{self.first.pk}/advance/", {}

    def go_on(self, run):
        self.return_from(run.result)

    def return_from(self, second):
        """Go back to the first version, and forget the second one."""
        self.done(self.begin(Run.Kind.RESTORE, self.first))
        self.done(self.begin(Run.Kind.DELETE, second))


class Refused(Advance):
    """The second prompt is applied, and then the plan holds no more snapshots."""

    fails = True

    def set(self):
        super().set()
        self.settings = {"NEON_LOCAL_SNAPSHOT_LIMIT": 1}

    def prepare(self):
        Project.objects.update(full_at=None)  # else it would be refused beforehand
        super().prepare()

    def go_on(self, run):
        self.return_from(self.done(self.begin(self.kind, self.first, anyway=True)))


class Restore(Stage):
    """The database goes back to the first version from a second one that has been edited."""

    kind = Run.Kind.RESTORE

    def set(self):
        super().set()
        self.first = self.project.head
        self.new = content(self.project)
        self.second = self.done(self.begin(Run.Kind.ADVANCE, self.first))

    def prepare(self):
        self.edit()
        self.before = content(self.project)

    def ask(self):
        return self.begin(self.kind, self.first)

    def is_new(self, run, now):
        return now == self.new

    @property
    def click(self):
        return f"/checkpoints/{self.first.pk}/restore/", {}

    def go_on(self, run):
        if run.saved:
            assert self.done(self.begin(Run.Kind.UNDO)) == run.saved
        else:  # an earlier attempt has replaced it
            kept = self.project.checkpoints.filter(kind=Checkpoint.Kind.SAFETY).latest("created_at")
            self.done(self.begin(Run.Kind.RESTORE, kept))
        assert content(self.project) == self.before
        self.done(self.begin(Run.Kind.RESTORE, self.second))


class Undo(Restore):
    """A restore is undone, before it has been cleaned up, and after an edit of what it restored."""

    kind = Run.Kind.UNDO

    def prepare(self):
        self.edit()
        self.new = content(self.project)
        restored = flows.done(self.begin(Run.Kind.RESTORE, self.first))
        assert restored.status == "succeeded", restored.error
        super().prepare()

    def ask(self):
        return self.begin(self.kind)

    @property
    def click(self):
        return f"/runs/{Run.objects.undoable(self.project).pk}/undo/", {}


class Delete(Stage):
    """A checkpoint with a child is deleted."""

    kind = Run.Kind.DELETE

    def set(self):
        super().set()
        self.first = self.project.head
        self.make()

    def make(self):
        """Make the checkpoint and its child."""
        self.doomed = self.done(self.begin(Run.Kind.ADVANCE, self.first))
        self.child = self.done(self.begin(Run.Kind.ADVANCE, self.doomed))

    def prepare(self):
        self.before = content(self.project)

    def ask(self):
        return self.begin(self.kind, Checkpoint.objects.filter(pk=self.doomed.pk).first())

    def is_new(self, run, now):
        return now == self.before

    @property
    def click(self):
        return f"/checkpoints/{self.doomed.pk}/delete/", {}

    def go_on(self, run):
        self.child.refresh_from_db()
        assert self.child.parent == self.first
        self.done(self.begin(Run.Kind.RESTORE, self.first))
        self.done(self.begin(Run.Kind.DELETE, self.child))
        self.make()
