"""Projects, and the tree of checkpoints that each has."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, When
from django.urls import reverse
from django.utils import timezone

import contacts.versions
from checkpoints.fields import EncryptedTextField
from checkpoints.models.timeline import SHOWN, Timeline, draw
from checkpoints.sql import statement

TIMELINE = statement("timeline")
# After that it is worth asking again: the plan may have grown.
FULL_FOR = timedelta(hours=1)


class ProjectQuerySet(models.QuerySet["Project"]):
    """Questions about projects."""

    def current(self, owner: Any) -> "Project | None":
        """Return the owner's newest project: a restart makes the new one before it deletes the old one."""
        return self.filter(owner=owner).select_related("owner", "head").order_by("-created_at").first()


class Project(models.Model):
    """One user's app database: a Neon project, and the checkpoint it stands at."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # A user who has a project cannot be deleted: only this row knows the Neon project.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="projects", db_index=False
    )
    name = models.CharField(max_length=100)
    neon_project_id = models.CharField("Neon project", max_length=100, unique=True)
    database_url = EncryptedTextField(editable=False)
    head = models.ForeignKey(
        "Checkpoint",
        on_delete=models.RESTRICT,
        null=True,
        related_name="+",
        help_text="The checkpoint that the app database holds now.",
    )
    full_at = models.DateTimeField(
        null=True, editable=False, help_text="When Neon last refused a snapshot because the plan holds no more."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=["created_at"], name="project_newest"),
            models.Index(fields=["owner", "-created_at"], name="project_newest_of_owner"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_full(self) -> bool:
        """Tell whether the plan is known to hold no more snapshots of this project."""
        return self.full_at is not None and timezone.now() - self.full_at < FULL_FOR

    def timeline(self, *also: uuid.UUID | None, before: uuid.UUID | None = None) -> Timeline:
        """Return the newest checkpoints, or those *before* another, and *also* those with these ids."""
        then = self.checkpoints.filter(pk=before).values_list("created_at", flat=True).first() if before else None
        moment = then or datetime.max.replace(tzinfo=UTC)
        parameters = {"project": self.pk, "before": moment, "limit": SHOWN + 1, "also": [*filter(None, also)]}
        found = list(Checkpoint.objects.raw(TIMELINE, parameters))
        for checkpoint in found:
            checkpoint.project = self
        page = [checkpoint for checkpoint in found if checkpoint.created_at < moment]
        shown, is_more = page[:SHOWN], len(page) > SHOWN
        others = [checkpoint for checkpoint in found if checkpoint not in shown and checkpoint.pk in also]
        return Timeline(
            shown,
            others,
            line=draw([*others, *shown]),
            is_newest=then is None,
            earlier=shown[-1] if is_more else None,
        )

    def note_full(self, is_full: bool) -> None:
        """Record whether the plan holds no more snapshots: one was refused, or there is room again."""
        if is_full or self.full_at:
            self.full_at = timezone.now() if is_full else None
            self.save(update_fields=["full_at"])


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    """Questions about checkpoints."""

    def deletable(self, *, apart_from: "Checkpoint | None" = None) -> Self:
        """Return the checkpoints that may be deleted, safety checkpoints first, the oldest first."""
        return (
            self.filter(pinned=False)
            .exclude(pk__in=[apart_from.pk] if apart_from else [])
            .exclude(pk=F("project__head"))
            .order_by(Case(When(kind=Checkpoint.Kind.SAFETY, then=0), default=1), "created_at")
        )

    def surplus(self, project: Project) -> "list[Checkpoint]":
        """Return the project's safety checkpoints beyond the newest few that it keeps.

        Never one that is pinned, the head, or one that the head descends from.
        """
        safety = self.filter(project=project, kind=Checkpoint.Kind.SAFETY, pinned=False).order_by("-created_at")
        if len(safety) <= settings.SAFETY_CHECKPOINTS:  # as nearly always: the tree need not be walked
            return []
        parents = dict(self.filter(project=project).values_list("pk", "parent"))
        line, here = set(), project.head_id
        while here:
            line.add(here)
            here = parents.get(here)
        return [checkpoint for checkpoint in safety if checkpoint.pk not in line][settings.SAFETY_CHECKPOINTS :]


class Checkpoint(models.Model):
    """A snapshot of an app database, in a tree: who goes back and does something else loses nothing."""

    class Kind(models.TextChoices):
        PROMPT = "prompt"
        SAFETY = "safety"
        MANUAL = "manual"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="checkpoints", db_index=False)
    parent = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="children", db_index=False)
    prompt = models.TextField()
    label = models.CharField(max_length=80, blank=True, help_text="What its owner calls it, in place of the prompt.")
    pinned = models.BooleanField(default=False, help_text="Its owner wants it kept.")
    version = models.CharField(max_length=10, blank=True, help_text="The version of the contact list, if it is one.")
    snapshot_id = models.CharField("Neon snapshot", max_length=100)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PROMPT)
    fingerprint = models.JSONField(default=dict, help_text="What the database held when the snapshot was taken.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = (
            models.Index(fields=["created_at"], name="checkpoint_newest"),
            models.Index(fields=["parent", "-created_at"], name="checkpoint_newest_child"),
            models.Index(fields=["project", "created_at"], name="checkpoint_of_project"),
            models.Index(fields=["snapshot_id"], name="checkpoint_of_snapshot"),
        )

    def __str__(self) -> str:
        return f"{self.version or self.get_kind_display()}: {self.title}"

    def get_absolute_url(self) -> str:
        """Return the checkpoint's page."""
        return reverse("checkpoint", args=[self.pk])

    @property
    def title(self) -> str:
        """Return what its owner calls it, or the prompt that made it."""
        return self.label or self.prompt

    @property
    def next(self) -> "Checkpoint | None":
        """Return the newest checkpoint that a prompt made from this one."""
        return self.children.filter(kind=self.Kind.PROMPT).order_by("-created_at", "-pk").first()

    @property
    def next_version(self) -> "contacts.versions.Version | None":
        """Return the version that the next prompt would make, or None after the last prompt."""
        return contacts.versions.get(self.version).next if self.version else None

    def forget(self) -> None:
        """Delete the row alone; its children become its parent's."""
        self.refresh_from_db(fields=["parent"])  # which may have gone the same way
        self.children.update(parent=self.parent_id)
        self.delete()
