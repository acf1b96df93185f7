"""What an owner does with a checkpoint: see what has changed since, name it, pin it, delete it."""

from http import HTTPStatus
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

import checkpoints.changes
from checkpoints import access, http
from checkpoints.forms import PinForm, RenameForm
from checkpoints.http import Request
from checkpoints.models import Checkpoint, Run
from checkpoints.views.actions import begin
from checkpoints.views.pages import show_checkpoint


@never_cache
@access.owned(access.checkpoint)
@require_safe
def changes(request: Request, checkpoint: Checkpoint) -> HttpResponse:
    """Say how the app database differs from a checkpoint, as long as it stands there and nothing is at work on it."""
    project = checkpoint.project
    settled = checkpoint.pk == project.head_id and not access.unfinished_run(request)
    context = {"checkpoint": checkpoint, "changes": checkpoints.changes.look(project) if settled else None}
    if request.htmx:
        return render(request, "_changes.html", context)
    return http.page(request, "changes.html", context)


@access.owned(access.checkpoint)
@require_POST
def rename(request: Request, checkpoint: Checkpoint) -> HttpResponse:
    """Give a checkpoint a label, or with an empty one take it away."""
    form = RenameForm(request.POST)
    if not form.is_valid():
        return show_checkpoint(request, checkpoint, status=HTTPStatus.UNPROCESSABLE_ENTITY, rename_form=form)
    return _change(request, checkpoint, label=form.cleaned_data["label"])


@access.owned(access.checkpoint)
@require_POST
def pin(request: Request, checkpoint: Checkpoint) -> HttpResponse:
    """Pin a checkpoint, so that it is never deleted, or unpin it."""
    form = PinForm(request.POST)
    form.full_clean()
    return _change(request, checkpoint, pinned=form.cleaned_data["pinned"])


@access.owned(access.checkpoint)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: Request, checkpoint: Checkpoint) -> HttpResponse:
    """Delete a checkpoint, after a question."""
    if request.method == "POST":
        return begin(request, Run.Kind.DELETE, checkpoint.project, checkpoint)
    return http.page(request, "checkpoint_delete.html", {"checkpoint": checkpoint, "project": checkpoint.project})


def _change(request: Request, checkpoint: Checkpoint, **values: Any) -> HttpResponse:
    """Change these columns and no others: whoever deletes or prunes the checkpoint meanwhile must not be undone."""
    Checkpoint.objects.filter(pk=checkpoint.pk).update(**values)
    if not request.htmx:
        return redirect(checkpoint)
    return show_checkpoint(request, access.checkpoint(request, checkpoint.pk))
