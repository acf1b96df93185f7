"""Pages to look at: home, a checkpoint, a run; and the probes for whoever runs the site."""

from concurrent.futures import Future
from functools import partial
from typing import Any

from django.contrib.auth import login
from django.core.exceptions import PermissionDenied
from django.db import Error as DatabaseError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe
from sesame.utils import get_user

import contacts.versions
from checkpoints import access, http, kept, runs
from checkpoints.changes import threads
from checkpoints.forms import EarlierForm, RenameForm
from checkpoints.http import Request
from checkpoints.models import Checkpoint, Project, Run
from checkpoints.models.runs import is_worker_there
from contacts import paging, schema
from contacts.errors import AppDatabaseError
from contacts.forms import ContactForm
from contacts.types import Wanted
from neon import service as neon

TABS = ("app", "meta", "schema")
# How long an answer is held back for a run that is about to end; a jump with an operation of 0.3 s takes 0.5 s.
PATIENCE_SECONDS = 0.7
# How many checkpoints are offered to be deleted where there is no room.
OFFERED = 50


@require_safe
def home(request: Request) -> HttpResponse:
    """Say what this is, and offer to start or to go on."""
    run = access.unfinished_run(request) if request.user.is_authenticated else None
    context = {
        "project": access.project(request),
        "first": contacts.versions.FIRST,
        "versions": contacts.versions.VERSIONS,
        "run": run,
    }
    return http.page(request, "home.html", context)


@never_cache
@kept.unless_changed
@access.owned(access.checkpoint)
@require_safe
def checkpoint(request: Request, checkpoint: Checkpoint) -> HttpResponse:
    """Show a checkpoint, or only one of its tabs."""
    return show_checkpoint(request, checkpoint)


def show_checkpoint(
    request: Request, checkpoint: Checkpoint, *, url: str = "", status: int = 200, **extra: Any
) -> HttpResponse:
    """Answer with a checkpoint's page, or with the part of it that htmx asked for."""
    part = None if request.htmx.history_restore_request else request.htmx.target
    if part == "timeline":
        return http.fragment(request, "_timeline.html", timeline_context(request, checkpoint), into="#timeline")
    context = checkpoint_context(request, checkpoint) | extra
    if part == "found":
        return http.fragment(request, "_found.html", context, into="#found", status=status)
    if part == "tab":
        return http.fragment(request, "_tab.html", context, into="#tab", status=status)
    return http.page(request, "checkpoint.html", context, url=url, status=status, keep=not extra)


def checkpoint_context(request: Request, checkpoint: Checkpoint, wanted: Wanted | None = None) -> dict[str, Any]:
    """Gather what a checkpoint's page shows, from both databases at once; of the contacts, the page that is wanted."""
    wanted = wanted or Wanted.parse(request.GET)
    project = checkpoint.project
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else TABS[0]
    version = contacts.versions.get(checkpoint.version)
    is_head = checkpoint.pk == project.head_id
    reading: Future[Any] | None = None  # meanwhile: the page waits for the slower of the two databases, not for both
    if is_head and tab == "app":
        reading = kept.ask(request, paging.read, project.database_url, version, wanted)
    elif is_head and tab == "schema":
        reading = kept.ask(request, schema.columns, project.database_url)
    at_work, undoable = Run.objects.at_work_and_undoable(project)
    context = timeline_context(request, checkpoint)
    context |= {
        "project": project,
        "next": context["timeline"].next(checkpoint),
        "next_version": checkpoint.next_version,
        "version": version,
        "tab": tab,
        "wanted": wanted,
        "query": wanted.query,
        "form": SimpleLazyObject(lambda: ContactForm(version)),
        "rename_form": SimpleLazyObject(lambda: RenameForm(instance=checkpoint)),
        "undoable": undoable if is_head else None,
        "run": at_work,
    }
    try:
        context["columns" if tab == "schema" else "found"] = reading.result() if reading else None
    except AppDatabaseError as error:
        context["error"] = error.sentence
    return context


def timeline_context(request: Request, checkpoint: Checkpoint) -> dict[str, Any]:
    """Gather what the timeline shows: the newest checkpoints or some earlier ones, this one, and the head."""
    project = checkpoint.project
    before = EarlierForm(request.GET).checkpoint if "before" in request.GET else None
    timeline = project.timeline(checkpoint.pk, project.head_id, before=before)
    return {
        "checkpoint": checkpoint,
        "head": timeline.get(project.head_id),
        "is_head": checkpoint.pk == project.head_id,
        "timeline": timeline,
    }


@never_cache
@access.owned(access.run)
@require_safe
def run(request: Request, run: Run) -> HttpResponse:
    """Show a run's progress; htmx gets an answer when there is news, and the resulting page when it has succeeded."""
    return show_run(request, wait(request, run, for_news=True) if request.htmx else run)


def wait(request: Request, run: Run, *, for_news: bool = False) -> Run:
    """Wait for a run a little, and return it as of then, with all that is shown of it: that may end or go meanwhile."""
    at_step = {"verify": partial(_prepare, run)} if request.htmx else {}  # else the answer leads to another request
    runs.wait(run, PATIENCE_SECONDS, for_news=for_news, at_step=at_step)
    return access.run(request, run.pk)


def _prepare(run: Run) -> None:
    """Have a connection for the page, which a restored database has none of, while the worker compares it.

    What every version has is read, as that is what a new session takes long for. If it fails, the page will say so.
    """
    if project := Project.objects.filter(runs=run).first():  # it may be gone by now
        threads.submit(paging.read, project.database_url, contacts.versions.FIRST)


def show_run(request: Request, run: Run) -> HttpResponse:
    """Answer with what a run led to, or with its progress, or with its failure."""
    if run.status == Run.Status.SUCCEEDED:
        if run.result is None:
            return redirect("home")
        url = run.result.get_absolute_url()
        return show_checkpoint(request, run.result, url=url) if request.htmx else redirect(url)
    head = run.project.head if run.project else None
    back = head or run.target
    project = run.project if run.remedy == Run.Remedy.ROOM else None
    context = {
        "run": run,
        "back": back.get_absolute_url() if back else "/",
        "deletable": project.checkpoints.deletable(apart_from=run.target)[:OFFERED] if project else [],
    }
    if not request.htmx:
        return http.page(request, "run.html", context)
    return http.fragment(request, "_run.html", context, into="#run")


@require_safe
def healthz(request: Request) -> HttpResponse:
    """Say that this process answers."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: Request) -> HttpResponse:
    """Say whether the meta database answers, a worker is alive, and the embedded server's disk has room."""
    try:
        ready = {"meta_database": True, "queue": is_worker_there()}
    except DatabaseError:
        ready = {"meta_database": False, "queue": False}
    ready["disk"] = neon.has_room()
    return JsonResponse(ready, status=200 if all(ready.values()) else 503)


@require_GET
@never_cache
def demo_sign_in(request: Request) -> HttpResponse:
    """Sign in with the link that start_demo printed: once, within ten minutes, on a local site only.

    Not by HEAD, with which a link is looked at before it is followed.
    """
    user = get_user(request)
    if user is None:
        raise PermissionDenied("This sign-in link has been used already, or is older than ten minutes.")
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    project = access.project(request)
    return redirect(project.head if project and project.head else "home")
