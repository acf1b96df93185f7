"""The admin: for looking. What changes something goes through a service."""

import json
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

from checkpoints import runs, services
from checkpoints.models import Checkpoint, Project, Run
from neon.errors import NeonError

admin.site.site_header = admin.site.site_title = "Snapshots as Checkpoints"
# One way in, with its rate limits; the admin's own form has none.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


class ReadOnly:
    """Nothing is added, changed or deleted by hand: meta database, Neon and app database would drift apart."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Let superusers alone act on other people's databases."""
        return bool(request.user.is_superuser)


class CheckpointInline(ReadOnly, admin.TabularInline[Checkpoint, Project]):
    """A project's checkpoints."""

    model = Checkpoint
    fields = ("version", "prompt", "kind", "parent", "snapshot_id", "created_at")
    readonly_fields = fields
    show_change_link = True
    ordering = ("created_at",)


@admin.register(Project)
class ProjectAdmin(ReadOnly, admin.ModelAdmin[Project]):
    """Projects with their checkpoints."""

    view_on_site = False  # only its owner may
    list_display = ("name", "owner", "neon_project_id", "head", "checkpoint_count", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("owner", "head")
    search_fields = ("name", "neon_project_id", "owner__email")
    fields = ("name", "owner", "neon_project_id", "masked_database_url", "head", "created_at", "updated_at")
    readonly_fields = fields
    inlines = (CheckpointInline,)
    actions = ("delete_projects",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        """Count the checkpoints in the list's own query."""
        return super().get_queryset(request).annotate(checkpoint_count=Count("checkpoints"))

    @admin.display(description="checkpoints", ordering="checkpoint_count")
    def checkpoint_count(self, project: Any) -> int:
        """Return how many checkpoints the project has."""
        return int(project.checkpoint_count)

    @admin.display(description="database URL")
    def masked_database_url(self, project: Project) -> str:
        """Say that there is one; what it says is nobody's business."""
        return "••••••••" if project.database_url else "-"

    @admin.action(description="Delete project, in Neon too", permissions=["act"])
    def delete_projects(self, request: HttpRequest, queryset: QuerySet[Project]) -> None:
        """Delete each project through the service."""
        for project in queryset:
            try:
                services.delete_project(project)
            except NeonError as error:
                self.message_user(request, f"{project}: {error.sentence}", messages.ERROR)
            else:
                self.message_user(request, f"{project} is deleted.", messages.SUCCESS)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnly, admin.ModelAdmin[Checkpoint]):
    """Checkpoints."""

    view_on_site = False  # only its owner may
    list_display = ("title", "version", "kind", "pinned", "project", "owner", "snapshot_id", "created_at")
    list_filter = ("version", "kind", "pinned", "created_at")
    list_select_related = ("project__owner",)
    search_fields = ("prompt", "label", "snapshot_id", "project__name", "project__owner__email")
    fields = (
        *("prompt", "label", "version", "kind", "pinned", "project", "parent", "snapshot_id", "fingerprint"),
        "created_at",
    )
    readonly_fields = fields
    actions = ("restore",)

    @admin.display(ordering="project__owner")
    def owner(self, checkpoint: Checkpoint) -> str:
        """Return whose it is."""
        return str(checkpoint.project.owner)

    @admin.action(description="Restore the database to this checkpoint", permissions=["act"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Checkpoint]) -> None:
        """Queue a restore for each checkpoint, as its owner's own click would."""
        for checkpoint in queryset.select_related("project__owner"):
            project = checkpoint.project
            run = runs.begin(owner=project.owner, kind=Run.Kind.RESTORE, project=project, target=checkpoint)
            if (run.kind, run.target_id) == (Run.Kind.RESTORE, checkpoint.pk):
                self.message_user(request, f"{project} is being restored to {checkpoint}.", messages.SUCCESS)
            else:
                self.message_user(request, f"{project}: another action of its owner is at work.", messages.WARNING)


@admin.register(Run)
class RunAdmin(ReadOnly, admin.ModelAdmin[Run]):
    """Runs: their steps, how long they took, and what went wrong."""

    view_on_site = False  # only its owner may
    list_display = ("short_id", "kind", "status", "owner", "project", "target", "took", "error", "created_at")
    list_filter = ("kind", "status", "created_at")
    list_select_related = ("owner", "project", "target")
    search_fields = ("id", "owner__email", "project__name", "error")
    fields = (
        *("id", "kind", "status", "owner", "project", "origin", "target", "result", "saved", "step_list", "took"),
        *("error", "detail", "state", "created_at", "started_at", "finished_at"),
    )
    readonly_fields = fields

    @admin.display(description="run", ordering="id")
    def short_id(self, run: Run) -> str:
        """Return the part of the id that names are made of."""
        return str(run.pk)[:8]

    @admin.display(description="seconds")
    def took(self, run: Run) -> str:
        """Return how long it was at work."""
        return "-" if run.seconds is None else f"{run.seconds:.2f}"

    @admin.display(description="steps")
    def step_list(self, run: Run) -> SafeString:
        """Return each step with its state and seconds."""
        rows = (
            (step.label, step.state, "" if step.seconds is None else f"{step.seconds:.2f} s") for step in run.progress
        )
        return format_html_join("\n", "<p>{}: {} {}</p>", rows)


admin.site.unregister(ProcrastinateJob)


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin):
    """The queue's jobs, without the inline styles of the original, which our content policy forbids."""

    list_display = ["pk", "short_task_name", "pretty_args", "status", "attempts", "scheduled_at"]  # noqa: RUF012

    @admin.display(description="arguments")
    def pretty_args(self, instance: ProcrastinateJob) -> str:
        """Return the arguments on one line."""
        return json.dumps(instance.args)
