"""Actions that start a run: start, restore, advance, and trying a failed one again."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django_htmx.http import reswap, retarget

from checkpoints import access, http, runs
from checkpoints.forms import StartForm
from checkpoints.http import Request
from checkpoints.models import Checkpoint, Run
from checkpoints.views.pages import PATIENCE_SECONDS, show_run


@access.signed_in
@require_POST
def start(request: Request) -> HttpResponse:
    """Start the demo; asks first when the user has a project that this would delete."""
    project = access.project(request)
    form = StartForm(request.POST)
    agreed = form.cleaned_data["replace"] if form.is_valid() else None
    if project and agreed != project.pk:
        context = {"project": project, "checkpoint_count": project.checkpoints.count()}
        return http.page(request, "start_confirm.html", context)
    return _follow(request, runs.begin(owner=request.user, kind=Run.Kind.START, project=project))


@access.owned(access.checkpoint)
@require_POST
def restore(request: Request, target: Checkpoint) -> HttpResponse:
    """Put the app database back to a checkpoint."""
    run = runs.begin(owner=request.user, kind=Run.Kind.RESTORE, project=target.project, target=target)
    return _follow(request, run)


@access.owned(access.checkpoint)
@require_POST
def advance(request: Request, head: Checkpoint) -> HttpResponse:
    """Apply the next prompt from a checkpoint, which must still be the head when the run gets to it."""
    run = runs.begin(owner=request.user, kind=Run.Kind.ADVANCE, project=head.project, target=head)
    return _follow(request, run)


@access.owned(access.run)
@require_POST
def run_retry(request: Request, run: Run) -> HttpResponse:
    """Begin anew what a failed run did not do."""
    if run.status == Run.Status.FAILED:
        run = runs.begin(owner=request.user, kind=Run.Kind(run.kind), project=run.project, target=run.target)
    return _follow(request, run)


def _follow(request: Request, run: Run) -> HttpResponse:
    """Answer with the result if the run ends within half a second, else with its progress."""
    run = access.run(request, runs.wait(run, PATIENCE_SECONDS).pk)  # as of now: it may end between two looks
    if not request.htmx:
        return redirect(run)
    response = show_run(request, run)
    if run.status == Run.Status.SUCCEEDED:
        return response
    return reswap(retarget(response, "#overlay"), "innerHTML")
