"""What this user may see: their own project, checkpoints and runs; everything else is a 404."""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from checkpoints import http, limits
from checkpoints.http import Request
from checkpoints.models import Checkpoint, Project, Run

P = ParamSpec("P")
T = TypeVar("T")


def signed_in(view: Callable[Concatenate[Request, P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Send visitors to sign in, and from there back to the page they came from; refuse users who act too often."""

    @wraps(view)
    def wrapper(request: Request, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.user.is_authenticated:
            return limits.refusal(request) or view(request, *args, **kwargs)
        if request.htmx:  # which would put the sign-in page where its fragment belongs
            page = http.came_from(request) or reverse("home")
            return HttpResponseClientRedirect(redirect_to_login(page).url)
        # Nobody can be sent back to an action: it answers to POST alone.
        return redirect_to_login(request.get_full_path() if request.method in {"GET", "HEAD"} else reverse("home"))

    return wrapper


def owned(
    get: Callable[[Request, uuid.UUID], T],
) -> Callable[[Callable[Concatenate[Request, T, P], HttpResponse]], Callable[..., HttpResponse]]:
    """Give the view what *get* finds in place of its id; outermost, so that strangers get 404 by every method."""

    def decorate(view: Callable[Concatenate[Request, T, P], HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        @signed_in
        def wrapper(request: Request, /, pk: uuid.UUID, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            return view(request, get(request, pk), *args, **kwargs)

        return wrapper

    return decorate


def project(request: Request) -> Project | None:
    """Return the signed-in user's project, or None before the first start and for visitors."""
    return Project.objects.current(request.user) if request.user.is_authenticated else None


def checkpoint(request: Request, pk: uuid.UUID) -> Checkpoint:
    """Return one of the user's checkpoints with its project."""
    found = Checkpoint.objects.defer("fingerprint").select_related("project")
    return get_object_or_404(found, pk=pk, project__owner=request.user)


def run(request: Request, pk: uuid.UUID) -> Run:
    """Return one of the user's runs, with all that its page, or that of its result, is made from."""
    found = Run.objects.select_related("project__head", "target", "result__project")
    found = found.defer("project__head__fingerprint", "target__fingerprint", "result__fingerprint")
    request.run_id = pk  # for the log
    return get_object_or_404(found, pk=pk, owner=request.user)


def unfinished_run(request: Request) -> Run | None:
    """Return the user's run that is at work; a constraint allows one."""
    return Run.objects.unfinished().filter(owner=request.user).first()
