"""Pages as they were rendered before, for as long as all that they are made from is the same.

Both databases are asked each time, and whatever they answer is the key: a page is never older than what it shows. Only
the rendering is saved, which is nearly half of what a request takes.
"""

import hashlib
import pickle
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.messages import get_messages
from django.core.cache import caches
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.functional import SimpleLazyObject

if TYPE_CHECKING:
    from checkpoints.http import Request

# They stand in a kept page for what is new each time. Nobody knows them, so nothing that people write contains them.
STAND_INS = {"csrf_token": secrets.token_hex(32), "seen": secrets.token_hex(32)}


def seen(request: HttpRequest) -> dict[str, str]:
    """Let every template say when it was rendered."""
    return {"seen": f"{time.time():.6f}"}


def fits(request: "Request", context: Mapping[str, Any]) -> bool:
    """Tell whether a page is made from its context alone: a run at work tells the time, and a message comes once.

    What htmx asks for comes after a change, and would hardly be asked for again.
    """
    return not (request.htmx or context["run"] or len(get_messages(request)))


def render(template: str, context: Mapping[str, Any], request: "Request") -> str:
    """Return a page, rendered now or before; what is lazy in its context is made from what is not."""
    data = [(name, value) for name, value in context.items() if not isinstance(value, SimpleLazyObject)]
    key = hashlib.sha256(pickle.dumps((request.get_full_path(), request.user, template, data))).hexdigest()
    html: str | None = caches["pages"].get(key)
    if html is None:
        html = render_to_string(template, {**context, **STAND_INS}, request)
        caches["pages"].set(key, html)
    for name, value in {"csrf_token": get_token(request), **seen(request)}.items():
        html = html.replace(STAND_INS[name], value)
    return html
