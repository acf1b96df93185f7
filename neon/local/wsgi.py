"""The plane as a WSGI application, which knows nothing of the site's middleware, sessions and URLs."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.urls import Resolver404, resolve

from neon.local.transport import URLCONF


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request.

    A view that raises ConnectionAbortedError wants the connection closed without an answer: so does every WSGI
    server that is told so.
    """
    answer = _answer(environ)
    answer.setdefault("Content-Length", str(len(answer.content)))
    start_response(f"{answer.status_code} {answer.reason_phrase}", list(answer.items()))
    return [answer.content]


def _answer(environ: dict[str, Any]) -> HttpResponse:
    request = WSGIRequest(environ)
    try:
        view = resolve(request.path_info, urlconf=URLCONF)
    except Resolver404:  # not below the API's path at all
        return HttpResponse(status=HTTPStatus.NOT_FOUND)
    answer: HttpResponse = view.func(request, *view.args, **view.kwargs)
    return answer
