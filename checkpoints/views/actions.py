"""Actions that start a run: start, restore, advance, trying a failed one again, and undoing a restore."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget

from checkpoints import access, changes, http, runs
from checkpoints.errors import Gone
from checkpoints.forms import ClickForm, RetryForm, StartForm
from checkpoints.http import Request
from checkpoints.models import Checkpoint, Project, Run
from checkpoints.views.pages import show_run, wait


@access.signed_in
@require_POST
def start(request: Request) -> HttpResponse:
    """Start the demo; asks first when the user has a project that this would delete."""
    project = access.project(request)
    form = StartForm(request.POST)
    agreed = form.cleaned_data["replace"] if form.is_valid() else None
    if not project or agreed == project.pk:
        return begin(request, Run.Kind.START, project)
    seen = ClickForm(request.POST).moment
    begun = seen and Run.objects.same(Run(owner=request.user, kind=Run.Kind.START), seen)
    return follow(request, begun) if begun else _ask(request, project)


@access.owned(access.checkpoint)
@require_POST
def restore(request: Request, target: Checkpoint) -> HttpResponse:
    """Put the app database back to a checkpoint."""
    return begin(request, Run.Kind.RESTORE, target.project, target)


@access.owned(access.checkpoint)
@require_POST
def advance(request: Request, head: Checkpoint) -> HttpResponse:
    """Apply the next prompt from a checkpoint, which must still be the head when the run gets to it."""
    return begin(request, Run.Kind.ADVANCE, head.project, head)


@access.owned(access.run)
@require_POST
def run_retry(request: Request, run: Run) -> HttpResponse:
    """Begin anew what a failed run did not do, with what the user has decided where there was no room."""
    if run.status != Run.Status.FAILED:
        return follow(request, run)
    project = access.project(request)
    if run.kind == Run.Kind.START and project and project.pk != run.project_id:
        return _ask(request, project)  # what was agreed to then was not the loss of this one
    form = RetryForm(request.POST)
    facts = form.decided if form.is_valid() else {}
    if "undoes" in run.state:
        facts["undoes"] = run.state["undoes"]
    return begin(request, Run.Kind(run.kind), run.project, run.target, **facts)


@access.owned(access.run)
@require_POST
def run_undo(request: Request, run: Run) -> HttpResponse:
    """Return to what was there before a restore, which must still be the last one."""
    return begin(request, Run.Kind.UNDO, run.project, undoes=str(run.pk))


def _ask(request: Request, project: Project) -> HttpResponse:
    """Ask whether the project may be deleted, and say what goes with it."""
    context = {
        "project": project,
        "checkpoint_count": project.checkpoints.count(),
        "changes": changes.look(project),
    }
    return http.page(request, "start_confirm.html", context)


def begin(
    request: Request, kind: Run.Kind, project: Project | None, target: Checkpoint | None = None, **facts: Any
) -> HttpResponse:
    """Answer a click with the run that it begins, or that an earlier click has begun."""
    facts["seen"] = ClickForm(request.POST).moment
    try:
        return follow(request, runs.begin(owner=request.user, kind=kind, project=project, target=target, **facts))
    except Gone as error:
        raise Http404 from error


def follow(request: Request, run: Run) -> HttpResponse:
    """Answer with the result if the run is about to end, else with its progress."""
    run = wait(request, run)
    if not request.htmx:
        return redirect(run)
    response = show_run(request, run)
    if run.status == Run.Status.SUCCEEDED:
        return response
    return reswap(retarget(response, "#overlay"), "innerHTML")
