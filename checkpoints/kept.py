"""Pages as they were rendered before, for as long as all that they are made from is the same.

Both databases are asked each time, and whatever they answer is the key: a page is never older than what it shows. Only
the rendering is saved, which takes longer than all the rest of a request.
"""

import hashlib
import pickle
import secrets
from collections.abc import Mapping
from typing import Any

from django.contrib.messages import get_messages
from django.core.cache import caches
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.functional import SimpleLazyObject

from checkpoints.http import Request, moment

# They stand in a kept page for what is new each time. Nobody knows them, so nothing that people write contains them.
STAND_INS = {"csrf_token": secrets.token_hex(32), "seen": secrets.token_hex(32)}


def fits(request: Request, context: Mapping[str, Any]) -> bool:
    """Tell whether a page is made from its context alone: a run at work tells the time, and a message comes once."""
    return not (request.htmx or context["run"] or len(get_messages(request)))


def render(request: Request, template: str, context: Mapping[str, Any]) -> str:
    """Return a page, rendered now or before; what is lazy in its context is made from what is not."""
    data = [(name, value) for name, value in context.items() if not isinstance(value, SimpleLazyObject)]
    made_from = pickle.dumps((request.get_full_path(), request.user, template, data))
    key = hashlib.sha256(made_from).hexdigest()
    html: str | None = caches["pages"].get(key)
    if html is None:
        html = render_to_string(template, {**context, **STAND_INS}, request)
        caches["pages"].set(key, html)
    return html.replace(STAND_INS["csrf_token"], get_token(request)).replace(STAND_INS["seen"], moment())
