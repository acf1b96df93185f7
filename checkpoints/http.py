"""Requests as the views know them, and answers that fit both htmx and a plain browser."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django_htmx.http import push_url, reswap, retarget
from django_htmx.middleware import HtmxDetails

from checkpoints import kept


class Request(HttpRequest):
    """A request that went through the session, authentication and htmx middlewares."""

    htmx: HtmxDetails
    user: User  # or AnonymousUser, in views that let visitors in
    run_id: uuid.UUID  # the run that it is about, for the log
    look: kept.Look  # at what its page is made from, if that may be kept


def came_from(request: Request) -> str | None:
    """Return the page of ours that htmx asked from; None for any other, and for what is no address."""
    try:
        return request.htmx.current_url_abs_path
    except ValueError:
        return None


def page(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    url: str = "",
    status: int = 200,
    keep: bool = False,
) -> HttpResponse:
    """Answer with a page; htmx gets its main element, wherever the request came from, and *url* as the address.

    A checkpoint's may be kept, to be shown again while it is the same.
    """
    in_place = request.htmx and not request.htmx.history_restore_request
    skeleton = "main_only.html" if in_place else "skeleton.html"
    rendering: Callable[..., str | bytes] = kept.render if keep else render_to_string
    response = HttpResponse(rendering(template, {**context, "skeleton": skeleton}, request), status=status)
    patch_vary_headers(response, ["HX-Request"])
    if request.htmx:
        response = retarget(response, "#main")
        response["HX-Reswap"] = "outerHTML show:window:top"
        response = push_url(response, url) if url else response
    return response


def fragment(
    request: Request, template: str, context: Mapping[str, Any], *, into: str, status: int = 200
) -> HttpResponse:
    """Answer htmx with a fragment that replaces the element *into*, wherever the request came from."""
    return reswap(retarget(render(request, template, context, status=status), into), "outerHTML")
