"""The admin: for looking. What changes something goes through a service."""

import json
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from allauth.account.admin import EmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from procrastinate.contrib.django.admin import ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

from checkpoints import listing, runs, services
from checkpoints.models import Checkpoint, Project, Run
from checkpoints.models.ids import begin_with
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


class NewestFormSet(BaseInlineFormSet[Checkpoint, Project, Any]):
    """The newest checkpoints alone: there may be thousands."""

    @cached_property
    def _newest(self) -> QuerySet[Checkpoint]:
        return super().get_queryset()[: listing.LongListAdmin.list_per_page]

    def get_queryset(self) -> QuerySet[Checkpoint]:
        """Return so many of them, always the same: each is looked for by its number."""
        return self._newest


class CheckpointInline(ReadOnly, admin.TabularInline[Checkpoint, Project]):
    """A project's newest checkpoints."""

    model = Checkpoint
    formset = NewestFormSet
    verbose_name_plural = "newest checkpoints"
    fields = ("version", "prompt", "kind", "parent", "snapshot_id", "created_at")
    readonly_fields = fields
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Checkpoint]:
        """Read their parents with them."""
        return super().get_queryset(request).select_related("parent")


@admin.register(Project)
class ProjectAdmin(ReadOnly, listing.LongListAdmin[Project]):
    """Projects with their checkpoints."""

    view_on_site = False  # only its owner may
    list_display = ("name", "owner", "neon_project_id", "head", "checkpoint_count", "created_at")
    list_filter = ("created_at",)
    refers_to = ("owner", "head")
    search_help_text = "An id of ours (8 digits or more), the id in Neon, or how its owner's email address begins."
    fields = (
        *("name", "owner", "neon_project_id", "masked_database_url", "head", "all_checkpoints"),
        *("created_at", "updated_at"),
    )
    readonly_fields = fields
    inlines = (CheckpointInline,)
    actions = ("delete_projects",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        """Count the checkpoints of each project that is shown, in the list's own query."""
        counted = Checkpoint.objects.filter(project=OuterRef("pk")).order_by().values("project")
        count = Coalesce(Subquery(counted.annotate(count=Count("pk")).values("count")), 0)
        return super().get_queryset(request).annotate(checkpoint_count=count)

    def matching(self, term: str) -> Q:
        """Search by id, id in Neon and owner."""
        return Q(pk__in=listing.projects(term))

    @admin.display(description="checkpoints")
    def all_checkpoints(self, project: Any) -> SafeString:
        """Lead to the list of them all."""
        url = f"{reverse('admin:checkpoints_checkpoint_changelist')}?{urlencode({'project': project.pk})}"
        return format_html('<a href="{}">All {}</a>', url, project.checkpoint_count)

    @admin.display(description="checkpoints")
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
class CheckpointAdmin(ReadOnly, listing.LongListAdmin[Checkpoint]):
    """Checkpoints."""

    view_on_site = False  # only its owner may
    list_display = ("title", "version", "kind", "pinned", "project", "owner", "snapshot_id", "created_at")
    list_filter = ("created_at",)  # any other would look through them all for what is rare
    refers_to = ("project__owner",)
    search_help_text = (
        "Its id (8 digits or more), its snapshot's or project's id, or how its owner's email address begins."
    )
    fields = (
        *("prompt", "label", "version", "kind", "pinned", "project", "parent", "snapshot_id", "fingerprint"),
        "created_at",
    )
    readonly_fields = fields
    actions = ("restore",)

    def matching(self, term: str) -> Q:
        """Search by id, snapshot, project and owner."""
        return begin_with([term]) | Q(snapshot_id=term) | Q(project__in=listing.projects(term))

    @admin.display
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
class RunAdmin(ReadOnly, listing.LongListAdmin[Run]):
    """Runs: their steps, how long they took, and what went wrong."""

    view_on_site = False  # only its owner may
    list_display = ("short_id", "kind", "status", "owner", "project", "target", "took", "error", "created_at")
    list_filter = ("status", "created_at")
    refers_to = ("owner", "project", "target")
    search_help_text = "Its id (8 digits or more), its project's id, or how its owner's email address begins."
    fields = (
        *("id", "kind", "status", "owner", "project", "origin", "target", "result", "saved", "step_list", "took"),
        *("error", "detail", "state", "created_at", "started_at", "finished_at"),
    )
    readonly_fields = fields

    def matching(self, term: str) -> Q:
        """Search by id, project and owner."""
        return begin_with([term]) | Q(project__in=listing.projects(term)) | Q(owner__in=listing.users(term))

    @admin.display(description="run")
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


admin.site.unregister([User, EmailAddress, ProcrastinateJob])


@admin.register(User)
class LongUserAdmin(listing.LongListAdmin[User], UserAdmin):  # type: ignore[type-arg]
    """Users, as Django has them."""

    sortable_by = ("username",)
    order_of_found = ("username",)
    list_filter = ("is_staff",)
    search_help_text = "How the email address or the name begins."

    def matching(self, term: str) -> Q:
        """Search by email address and name."""
        return Q(pk__in=listing.users(term))


@admin.register(EmailAddress)
class LongEmailAddressAdmin(listing.LongListAdmin[EmailAddress], EmailAddressAdmin):  # type: ignore[misc]
    """Email addresses, as allauth has them."""

    sortable_by = ()
    order_of_found = ("email",)
    list_filter = ()
    refers_to = ("user",)
    search_help_text = "How the email address or the name of its user begins."

    def matching(self, term: str) -> Q:
        """Search by user."""
        return Q(user__in=listing.users(term))


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin):
    """The queue's jobs, without the inline styles of the original, which our content policy forbids."""

    list_display = ["pk", "short_task_name", "pretty_args", "status", "attempts", "scheduled_at"]  # noqa: RUF012
    list_filter = ["status", "task_name"]  # noqa: RUF012 - by their locks, each would be one of its own

    @admin.display(description="arguments")
    def pretty_args(self, instance: ProcrastinateJob) -> str:
        """Return the arguments on one line."""
        return json.dumps(instance.args)
