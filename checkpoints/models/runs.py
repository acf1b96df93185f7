"""Runs: what is to be done in which steps, how far it has come, and how it ended."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q, prefetch_related_objects
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateWorker

from checkpoints.models.logged import logged
from checkpoints.models.projects import Checkpoint, Project
from checkpoints.models.steps import Attempt, Step
from checkpoints.sql import statement

BOTH = statement("runs")
# A queued run that no worker has taken by then is waiting for a worker that is not there.
TAKEN_WITHIN = timedelta(seconds=3)
# A worker that has not been heard of for so long is dead, or away: it says every other second that it is not.
HEARTBEAT_WITHIN = timedelta(seconds=10)


def is_worker_there() -> bool:
    """Tell whether some worker is alive, by the clock that the workers' signs of life are noted by."""
    return ProcrastinateWorker.objects.filter(last_heartbeat__gt=Now() - HEARTBEAT_WITHIN).exists()


class RunQuerySet(models.QuerySet["Run"]):
    """Questions about runs."""

    def unfinished(self) -> Self:
        """Return the runs that are queued or at work."""
        return self.filter(status__in=Run.UNFINISHED)

    def same(self, run: "Run", since: datetime) -> "Run | None":
        """Return the run that has done since then what this one is to do, if the database still is where it led."""
        done = self.filter(owner=run.owner_id, kind=run.kind, status=Run.Status.SUCCEEDED, created_at__gt=since)
        done = done.filter(result=F("project__head")).order_by("-created_at")
        if run.kind == Run.Kind.UNDO:  # which finds its target only when it is at work
            return done.filter(state__undoes=run.state.get("undoes", "")).first()
        return done.filter(target=run.target_id).first()

    def with_leftovers(self) -> Self:
        """Return the finished runs that left something in Neon to clean up."""
        return self.exclude(status__in=Run.UNFINISHED).filter(state__has_key="leftover")

    def with_unsaved(self, project: Project) -> Self:
        """Return the project's runs that replaced a branch of which it is not settled yet whether to save it."""
        left = self.filter(project=project, state__has_key="leftover")  # of which there is an index
        return left.filter(state__leftover__has_key="replaced").order_by("created_at")

    def under_way(self, project: Project) -> Self:
        """Return the project's runs that are unfinished, or of which it is not known yet how they ended."""
        return self.filter(Q(status__in=Run.UNFINISHED) | Q(state__has_key="unsure"), project=project)

    def at_work_and_undoable(self, project: Project) -> "tuple[Run | None, Run | None]":
        """Return the owner's unfinished run, and the restore that led to where the database is if there is a way back.

        By one query, as every page asks for both.
        """
        found = list(self.raw(BOTH, {"owner": project.owner_id, "project": project.pk}))
        at_work = next((run for run in found if not run.is_finished), None)
        undoable = next((run for run in found if run.is_finished and run.kind in Run.SWAPS), None)
        if undoable is None or undoable.result_id != project.head_id:
            return at_work, None
        prefetch_related_objects([undoable], "origin", "saved")
        return at_work, undoable if undoable.way_back else None

    def undoable(self, project: Project) -> "Run | None":
        """Return the restore that led to where the database is, if what it replaced can be returned to."""
        return self.at_work_and_undoable(project)[1]


class Run(models.Model):
    """A long action, durable: its steps, and what finished steps produced, so that any worker can resume it."""

    class Kind(models.TextChoices):
        START = "start"
        ADVANCE = "advance"
        RESTORE = "restore"
        UNDO = "undo"
        DELETE = "delete"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    class Remedy(models.TextChoices):
        """What a person can do about a failed run."""

        RETRY = "retry"
        START = "start"
        ROOM = "room"  # make room for a snapshot, or go on without one
        NONE = "none"

    UNFINISHED = (Status.QUEUED, Status.RUNNING)
    SWAPS = (Kind.RESTORE, Kind.UNDO)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.SET_NULL, null=True, related_name="runs", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    steps = models.JSONField(default=list, help_text="Each step's name, label, state, start and finish.")
    state = models.JSONField(default=dict, help_text="Ids that finished steps produced.")
    target = models.ForeignKey(Checkpoint, on_delete=models.SET_NULL, null=True, related_name="+")
    result = models.ForeignKey(Checkpoint, on_delete=models.SET_NULL, null=True, related_name="+")
    origin = models.ForeignKey(
        Checkpoint, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Where the database was before."
    )
    saved = models.ForeignKey(
        Checkpoint,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="The safety checkpoint of what was replaced.",
    )
    error = models.TextField(blank=True, help_text="What happened, in a sentence for people.")
    detail = models.TextField(blank=True, help_text="The fault, for whoever looks into it.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    # Told of each step as it finishes; for whoever executes a run in a terminal.
    listener: Callable[[Step], None] | None = None
    # The step that has been noted as begun and is not entered yet, and whether that was not for the first time.
    _begun: str = ""
    _again: bool = False

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=["status", "created_at"], name="run_by_status"),
            models.Index(fields=["created_at"], name="run_newest"),
            models.Index(fields=["owner", "-created_at"], name="run_newest_of_owner"),
            models.Index(fields=["project", "-created_at"], name="run_newest_of_project"),
            models.Index(fields=["project"], name="run_with_leftovers", condition=Q(state__has_key="leftover")),
            models.Index(fields=["project"], name="run_unsure", condition=Q(state__has_key="unsure")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["owner"],
                condition=Q(status__in=["queued", "running"]),
                name="one_unfinished_run_per_owner",
                violation_error_message="Another action of yours is still at work.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {str(self.pk)[:8]}"

    def get_absolute_url(self) -> str:
        """Return the run's progress page."""
        return reverse("run", args=[self.pk])

    @property
    def is_finished(self) -> bool:
        """Tell whether the run has succeeded or failed."""
        return self.status not in self.UNFINISHED

    @property
    def is_waiting_for_a_worker(self) -> bool:
        """Tell whether no worker has taken the run though one should have by now, and none is there."""
        if self.status != self.Status.QUEUED or timezone.now() - self.created_at <= TAKEN_WITHIN:
            return False
        return not is_worker_there()

    @property
    def place(self) -> int:
        """Return how many other runs wait for a worker before this one, while it waits for one itself."""
        if self.status != self.Status.QUEUED:
            return 0
        return Run.objects.filter(status=self.Status.QUEUED, created_at__lt=self.created_at).count()

    @property
    def replaced_changes(self) -> bool:
        """Tell whether what the run replaced had changed since its checkpoint."""
        return bool(self.state.get("saved") or (self.is_unsaved and self.state.get("differs")))

    @property
    def remedy(self) -> Remedy:
        """Return what to offer after a failure; nearly always, to try again."""
        return self.Remedy(self.state.get("remedy", self.Remedy.RETRY))

    @property
    def is_unsaved(self) -> bool:
        """Tell whether the run replaced a branch of which it is not settled yet whether to save it."""
        return "replaced" in self.state.get("leftover", {})

    @property
    def way_back(self) -> Checkpoint | None:
        """Return the checkpoint that holds what the run replaced, or will hold it; None when that was deleted since."""
        return self.saved if self.state.get("saved") else self.origin

    @property
    def seconds(self) -> float | None:
        """Return how long the run was at work, or None while it is."""
        if not (self.started_at and self.finished_at):
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def progress(self) -> list[Step]:
        """Return the steps for people, with their seconds."""
        return [
            Step(
                step["name"],
                step["label"],
                step["state"],
                _seconds_between(step["started"], step["finished"]),
            )
            for step in self.steps
        ]

    @contextmanager
    def step(self, name: str, *, saved_with_next: bool = False) -> Iterator[Attempt | None]:
        """Enter a step: None when an earlier attempt finished it, so that it is skipped.

        When the block ends without an exception, it is recorded at once that the step is finished, what the run knows
        by then, and that the next step has begun; or with that one's end, where it does no harm to do this one again.
        """
        step = next(step for step in self.steps if step["name"] == name)
        if step["state"] == "done":
            yield None
            return
        if self._begun != name:
            self._begin_step(step)
            self.save(update_fields=["steps"])
        self._begun = ""
        with logged(self, name):
            yield Attempt(self._again)
        if not self.is_finished:  # else it is recorded with the end
            self._end_step("done")
            self._begin_step(self._next_step)
            if not saved_with_next:
                self.save(update_fields=["steps", "state", "origin"])
        if self.listener:
            self.listener(next(step for step in self.progress if step.name == name))

    @property
    def _next_step(self) -> dict[str, Any] | None:
        return next((step for step in self.steps if step["state"] != "done"), None)

    def _begin_step(self, step: dict[str, Any] | None) -> None:
        """Note, to be saved, that a step has begun."""
        if step:
            self._begun, self._again = step["name"], step["started"] is not None
            step |= {"state": "running", "started": timezone.now().isoformat()}

    def _end_step(self, state: str) -> None:
        """Note, to be saved, how what is at work has ended."""
        for step in self.steps:
            if step["state"] == "running":
                step |= {"state": state, "finished": timezone.now().isoformat()}

    def remember(self, **facts: Any) -> None:
        """Keep facts that a later attempt needs, before the effect that they describe."""
        self.state.update(facts)
        self.save(update_fields=["state"])

    def leave(self, kind: str, what: Any) -> None:
        """Note something more that is to be deleted when the run has ended; whoever calls saves the state."""
        self.state.setdefault("leftover", {}).setdefault(kind, []).append(what)

    def begin(self) -> None:
        """Record that a worker is at it, for the first time or again."""
        self.status = self.Status.RUNNING
        self.started_at = self.started_at or timezone.now()
        self._begin_step(self._next_step)
        self.save(update_fields=["status", "started_at", "steps"])

    def succeed(self, result: Checkpoint | None) -> None:
        """Record the end, that of the step that it is called in, and the checkpoint that the run led to."""
        self._end_step("done")
        self.status, self.result, self.finished_at = self.Status.SUCCEEDED, result, timezone.now()
        self.save(update_fields=["status", "result", "finished_at", "steps", "state", "origin"])

    def fail(self, error: str, detail: str = "", remedy: Remedy = Remedy.RETRY) -> None:
        """Record the end: *error* is a sentence for people, *detail* the fault, *remedy* what can be done about it."""
        if remedy != self.Remedy.RETRY:
            self.state["remedy"] = remedy
        self._end_step("failed")
        self.status, self.error, self.detail, self.finished_at = (
            self.Status.FAILED,
            error,
            detail,
            timezone.now(),
        )
        self.save(update_fields=["status", "error", "detail", "finished_at", "steps", "state"])


def _seconds_between(started: str | None, finished: str | None) -> float | None:
    if not (started and finished):
        return None
    return (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
