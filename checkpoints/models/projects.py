"""Projects, and the tree of checkpoints that each has."""

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse

import contacts.versions
from checkpoints.fields import EncryptedTextField


class ProjectQuerySet(models.QuerySet["Project"]):
    """Questions about projects."""

    def current(self, owner: Any) -> "Project | None":
        """Return the owner's newest project: a restart makes the new one before it deletes the old one."""
        return self.filter(owner=owner).select_related("owner", "head").order_by("-created_at").first()


class Project(models.Model):
    """One user's app database: a Neon project, and the checkpoint it stands at."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # A user who has a project cannot be deleted: only this row knows the Neon project.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="projects")
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
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["owner", "-created_at"], name="project_newest_of_owner"),)

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class Entry:
    """A place in the timeline: a checkpoint, and the lines that fork off after it."""

    checkpoint: "Checkpoint"
    forks: list[list["Entry"]] = field(default_factory=list)


class CheckpointQuerySet(models.QuerySet["Checkpoint"]):
    """Questions about checkpoints."""

    def timeline(self) -> list[Entry]:
        """Return one project's tree as a line: each checkpoint, its forks, then its oldest child."""
        children: dict[uuid.UUID | None, list[Checkpoint]] = defaultdict(list)
        for checkpoint in self.order_by("created_at"):
            children[checkpoint.parent_id].append(checkpoint)

        def line(checkpoint: Checkpoint | None) -> list[Entry]:
            entries = []
            while checkpoint:
                following = children[checkpoint.pk]
                entries.append(Entry(checkpoint, [line(other) for other in following[1:]]))
                checkpoint = following[0] if following else None
            return entries

        return [entry for root in children[None] for entry in line(root)]


class Checkpoint(models.Model):
    """A snapshot of an app database, in a tree: who goes back and does something else loses nothing."""

    class Kind(models.TextChoices):
        PROMPT = "prompt"
        SAFETY = "safety"
        MANUAL = "manual"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="checkpoints")
    parent = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="children")
    prompt = models.TextField()
    version = models.CharField(max_length=10, blank=True, help_text="The version of the contact list, if it is one.")
    snapshot_id = models.CharField("Neon snapshot", max_length=100)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PROMPT)
    fingerprint = models.JSONField(default=dict, help_text="What the database held when the snapshot was taken.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["project", "created_at"], name="checkpoint_of_project"),)

    def __str__(self) -> str:
        return f"{self.version or self.get_kind_display()}: {self.prompt}"

    def get_absolute_url(self) -> str:
        """Return the checkpoint's page."""
        return reverse("checkpoint", args=[self.pk])

    @property
    def next(self) -> "Checkpoint | None":
        """Return the newest checkpoint that a prompt made from this one."""
        return self.children.filter(kind=self.Kind.PROMPT).order_by("-created_at").first()

    @property
    def next_version(self) -> "contacts.versions.Version | None":
        """Return the version that the next prompt would make, or None after the last prompt."""
        return contacts.versions.get(self.version).next if self.version else None
