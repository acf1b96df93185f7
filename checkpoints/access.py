"""What this user may see: their own project, checkpoints and runs; everything else is a 404."""

import uuid

from django.shortcuts import get_object_or_404

from checkpoints.http import Request
from checkpoints.models import Checkpoint, Project, Run


def project(request: Request) -> Project | None:
    """Return the signed-in user's project, or None before the first start and for visitors."""
    return Project.objects.current(request.user) if request.user.is_authenticated else None


def checkpoint(request: Request, pk: uuid.UUID) -> Checkpoint:
    """Return one of the user's checkpoints with its project and parent."""
    return get_object_or_404(
        Checkpoint.objects.select_related("project__head", "parent"), pk=pk, project__owner=request.user
    )


def run(request: Request, pk: uuid.UUID) -> Run:
    """Return one of the user's runs."""
    return get_object_or_404(Run.objects.select_related("project__head", "target", "result"), pk=pk, owner=request.user)


def unfinished_run(request: Request) -> Run | None:
    """Return the user's run that is at work; a constraint allows one."""
    return Run.objects.unfinished().select_related("project__head", "target").filter(owner=request.user).first()
