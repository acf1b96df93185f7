"""The contacts of the app database, as long as it stands at the checkpoint of the page."""

import contextlib
import uuid
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import replace_url, trigger_client_event

import contacts.versions
from checkpoints import access, http, locks
from checkpoints.http import Request
from checkpoints.models import Checkpoint
from checkpoints.views.pages import checkpoint_context, show_checkpoint
from contacts import errors, paging, queries
from contacts.forms import ContactForm
from contacts.types import Contact, Wanted

P = ParamSpec("P")
View = Callable[Concatenate[Request, Checkpoint, P], HttpResponse]

AT_WORK = "Another action is at work on this database. Try again when it has finished."
# What a refusal is to a browser; any other fault of the app database is a bad gateway.
STATUS: dict[type[errors.AppDatabaseError], HTTPStatus] = {
    errors.Busy: HTTPStatus.CONFLICT,
    errors.NotFound: HTTPStatus.CONFLICT,
    errors.TableMissing: HTTPStatus.CONFLICT,
    errors.DuplicateEmail: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
}


def at_head(view: View[P]) -> Callable[..., HttpResponse]:
    """Give the view the checkpoint that the app database stands at, and turn the database's faults into messages.

    A page that the database has left, or a run at work, refuses what would get lost; and while something is written, no
    restore swaps the database, which would put it into another checkpoint.
    """

    def answer(request: Request, checkpoint: Checkpoint, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if checkpoint.pk != checkpoint.project.head_id:
            return show_checkpoint(request, checkpoint, status=HTTPStatus.CONFLICT)
        try:
            return view(request, checkpoint, *args, **kwargs)
        except errors.AppDatabaseError as error:
            return _show_list(request, checkpoint, notice=error.sentence, status=_status(error))

    @wraps(view)
    @access.owned(access.checkpoint)
    def wrapper(request: Request, checkpoint: Checkpoint, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method != "POST":
            return answer(request, checkpoint, *args, **kwargs)
        with locks.edit(checkpoint.project_id) as free:
            # In this order: else a run that ends in between would seem neither to be at work nor to have led elsewhere.
            at_work = not free or access.unfinished_run(request)
            checkpoint = access.checkpoint(request, checkpoint.pk)  # as it is now that nothing swaps it
            if at_work:
                return _show_list(request, checkpoint, notice=AT_WORK, status=HTTPStatus.CONFLICT)
            return answer(request, checkpoint, *args, **kwargs)

    return wrapper


@at_head
@require_POST
def contact_add(request: Request, checkpoint: Checkpoint) -> HttpResponse:
    """Add a contact."""
    version = contacts.versions.get(checkpoint.version)
    form = ContactForm(version, request.POST)
    saved, status = _save(form, lambda values: queries.add(checkpoint.project.database_url, version, values))
    if saved:
        return _after_change(request, checkpoint, saved)
    return _show_list(request, checkpoint, form=form, status=status)


@at_head
@require_safe
def contact(request: Request, checkpoint: Checkpoint, id: uuid.UUID) -> HttpResponse:
    """Show one contact's row."""
    if not request.htmx:
        return redirect(_address(checkpoint, _wanted(request)))
    return render(request, "_contact.html", _row(request, checkpoint, id))


@at_head
@require_http_methods(["GET", "HEAD", "POST"])
def contact_edit(request: Request, checkpoint: Checkpoint, id: uuid.UUID) -> HttpResponse:
    """Change a contact in its row."""
    row = _row(request, checkpoint, id)
    version = contacts.versions.get(checkpoint.version)
    form = ContactForm.for_contact(version, row["contact"], request.POST or None)
    status = HTTPStatus.OK
    if request.method == "POST":
        change = queries.change
        saved, status = _save(form, lambda values: change(checkpoint.project.database_url, version, id, values))
        if saved:
            return _after_change(request, checkpoint, saved)
    if request.htmx:
        return http.fragment(request, "_contact_form.html", row | {"form": form}, into=f"#contact-{id}", status=status)
    return render(request, "contact_edit.html", row | {"form": form}, status=status)


@at_head
@require_http_methods(["GET", "HEAD", "POST"])
def contact_delete(request: Request, checkpoint: Checkpoint, id: uuid.UUID) -> HttpResponse:
    """Delete a contact, after a question."""
    if request.method == "POST":
        queries.remove(checkpoint.project.database_url, id)
        return _after_change(request, checkpoint)
    template = "_contact_delete.html" if request.htmx else "contact_delete.html"
    return render(request, template, _row(request, checkpoint, id))


def _wanted(request: Request) -> Wanted:
    """Return what of the list is shown where a request comes from: htmx tells the address, links and forms carry it."""
    if not request.htmx:
        return Wanted.parse(request.GET)
    return Wanted.parse(QueryDict(urlsplit(http.came_from(request) or "").query))


def _address(checkpoint: Checkpoint, wanted: Wanted) -> str:
    return f"{checkpoint.get_absolute_url()}?{wanted.query}".removesuffix("?")


def _row(request: Request, checkpoint: Checkpoint, id: uuid.UUID) -> dict[str, Any]:
    version = contacts.versions.get(checkpoint.version)
    contact = queries.get(checkpoint.project.database_url, version, id)
    return {"checkpoint": checkpoint, "version": version, "contact": contact, "query": _wanted(request).query}


def _save(
    form: ContactForm, save: Callable[[dict[str, Any]], Contact]
) -> tuple[Contact, HTTPStatus] | tuple[None, HTTPStatus]:
    """Save a form's values; what the database refuses becomes an error of the form, so that nothing typed is lost."""
    if not form.is_valid():
        return None, HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        return save(form.cleaned_data), HTTPStatus.OK
    except errors.NotFound:
        raise  # there is nothing left to keep the form for
    except errors.DuplicateEmail as error:
        form.refuse_duplicate_email()
        return None, _status(error)
    except errors.AppDatabaseError as error:
        form.add_error(None, error.sentence)
        return None, _status(error)


def _after_change(request: Request, checkpoint: Checkpoint, saved: Contact | None = None) -> HttpResponse:
    """Show the same contacts again, or, if what was saved is not among them, those that begin with it."""
    wanted = before = _wanted(request)
    if saved:
        version = contacts.versions.get(checkpoint.version)
        with contextlib.suppress(errors.AppDatabaseError):  # it is saved all the same
            wanted = paging.around(checkpoint.project.database_url, version, before, saved)
    if not request.htmx:
        return redirect(_address(checkpoint, wanted))
    response = trigger_client_event(_show_list(request, checkpoint, wanted), "contacts-changed")
    return response if wanted == before else replace_url(response, _address(checkpoint, wanted))


def _show_list(
    request: Request,
    checkpoint: Checkpoint,
    wanted: Wanted | None = None,
    *,
    status: int = HTTPStatus.OK,
    **extra: Any,
) -> HttpResponse:
    """Answer with the list, read again: as a fragment, or in its page."""
    if not request.htmx:
        return show_checkpoint(request, checkpoint, status=status, **extra)
    context = checkpoint_context(request, checkpoint, wanted or _wanted(request)) | extra
    return http.fragment(request, "_contacts.html", context, into="#contacts", status=status)


def _status(error: errors.AppDatabaseError) -> HTTPStatus:
    return STATUS.get(type(error), HTTPStatus.BAD_GATEWAY)
