"""How often somebody may act: counted per user and per address, once for all processes.

Accounts have limits of their own (allauth's, which takes locks and ten queries: too much for what is clicked at once).
"""

from datetime import timedelta

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django_htmx.http import reswap, retarget

from checkpoints import http
from checkpoints.http import Request
from checkpoints.sql import statement

COUNT = statement("count")
WINDOW = timedelta(minutes=1)


def refusal(request: Request) -> HttpResponse | None:
    """Return the answer to a signed-in user who acts too often, or None; looking at pages is not counted."""
    return refuse(request) if request.method == "POST" and _is_too_often(request) else None


def refuse(request: Request) -> HttpResponse:
    """Answer 429: as a page, or over the page that htmx asked from, where nothing that was typed is lost."""
    if not request.htmx:
        response = render(request, "429.html", status=429)
    else:
        back = http.came_from(request) or "/"
        response = render(request, "_limited.html", {"back": back}, status=429)
        response = reswap(retarget(response, "#overlay"), "innerHTML")
    response["Retry-After"] = str(int(WINDOW.total_seconds()))
    return response


def _is_too_often(request: Request) -> bool:
    """Count this action, and tell whether it is one too many."""
    limits = {
        f"actions:user:{request.user.pk}": settings.USER_ACTIONS_PER_MINUTE,
        f"actions:address:{get_adapter().get_client_ip(request)}": settings.ADDRESS_ACTIONS_PER_MINUTE,
    }
    limits = {key: limit for key, limit in limits.items() if limit}
    if not limits:
        return False
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"keys": list(limits), "now": now, "until": now + WINDOW})
        return any(count > limits[key] for key, count in cursor.fetchall())
