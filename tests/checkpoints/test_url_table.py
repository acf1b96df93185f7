"""Who gets what: every URL of the project, by every method, for visitors, strangers, owners and staff.

A URL that is added needs a row here: one line, whose cells are what a visitor, a stranger, the owner and the staff get.
"""

import logging
import re

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.template.response import SimpleTemplateResponse
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from django.urls import URLResolver, get_resolver

from checkpoints import runs
from checkpoints.models import Run

# What has an effect comes last.
METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST"]
EFFECTIVE = {"PUT", "POST"}
WHO = ["visitor", "stranger", "owner", "staff"]
LOGIN = "sign in"  # a redirect there

# A cell: the status by every method, or by those that are named, others being 405.
SHOWN = {"GET HEAD OPTIONS": 200}
FORM = {"GET HEAD OPTIONS PUT POST": 200}


def look(status=200):
    return {"GET HEAD": status}


def act(status=302):
    return {"POST": status}


def everybody(cell):
    return cell, cell, cell, cell


def owned(cell):
    return LOGIN, 404, cell, 404


def users(cell, visitor=LOGIN):
    return visitor, cell, cell, cell


def staff(cell):
    return 302, 302, 302, cell


SITE = {
    "": everybody(look()),
    "start/": (LOGIN, act(), act(200), act()),  # who has a project is asked first
    "checkpoints/<uuid:pk>/": owned(look()),
    "checkpoints/<uuid:pk>/restore/": owned(act()),
    "checkpoints/<uuid:pk>/advance/": owned(act()),
    "checkpoints/<uuid:pk>/changes/": owned(look()),
    "checkpoints/<uuid:pk>/rename/": owned(act()),
    "checkpoints/<uuid:pk>/pin/": owned(act()),
    "checkpoints/<uuid:pk>/delete/": owned(look() | act()),
    "checkpoints/<uuid:pk>/contacts/": owned(act(422)),
    "checkpoints/<uuid:pk>/contacts/<uuid:id>/": owned(look(302)),
    "checkpoints/<uuid:pk>/contacts/<uuid:id>/edit/": owned(look() | act(422)),
    "checkpoints/<uuid:pk>/contacts/<uuid:id>/delete/": owned(look() | act()),
    "runs/<uuid:pk>/": owned(look(302)),
    "runs/<uuid:pk>/retry/": owned(act()),
    "runs/<uuid:pk>/undo/": owned(act()),
    "healthz": everybody(look()),
    "readyz": everybody(look(503)),  # there is no worker
    "demo/sign-in/": everybody({"GET": 403}),  # without a token
}
ACCOUNTS = {
    "accounts/login/": users(302, FORM),
    "accounts/logout/": users(SHOWN | act(), {"GET HEAD POST": 302, "OPTIONS": 200}),
    "accounts/inactive/": everybody(SHOWN),
    "accounts/signup/": users(302, FORM),
    "accounts/reauthenticate/": users(FORM),
    "accounts/email/": users(SHOWN | {"PUT POST": 302}),
    "accounts/confirm-email/": everybody(SHOWN),
    "accounts/password/change/": users(FORM),
    "accounts/password/set/": users(302),  # they have one
    "accounts/password/reset/": everybody(FORM),
    "accounts/login/code/confirm/": everybody(302),  # nobody has asked for a code
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$": everybody(SHOWN | act(404)),
    "accounts/password/reset/key/done/": everybody(SHOWN),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": everybody(200),  # says that it is no key
    "accounts/password/reset/done/": everybody(SHOWN),
    "accounts/3rdparty/login/cancelled/": everybody(SHOWN),
    "accounts/3rdparty/login/error/": everybody({"GET HEAD": 401, "OPTIONS": 200}),
    "accounts/3rdparty/signup/": everybody(302),
    "accounts/3rdparty/": users(FORM),
    **{
        f"accounts/social/{old}/": everybody(301) for old in ("login/cancelled", "login/error", "signup", "connections")
    },
}
ADMIN = {
    r"^admin/r/": everybody(404),
    "admin/": staff(200),
    "admin/login/": (302, 403, 403, {"GET": 302, "HEAD OPTIONS PUT POST": 200}),
    "admin/logout/": staff({"OPTIONS": 200, "POST": 302}),
    "admin/password_change/": staff(FORM),
    "admin/password_change/done/": staff(SHOWN),
    "admin/autocomplete/": staff({"GET HEAD": 403, "OPTIONS": 200}),
    "admin/jsi18n/": staff(SHOWN),
    "admin/r/<path:content_type_id>/<path:object_id>/": everybody(404),
    "admin/auth/user/<id>/password/": staff(200),
    "admin/^(?P<app_label>auth|checkpoints|account|procrastinate|socialaccount)/$": staff(200),
    "admin/(?P<url>.*)$": staff(404),
}
LOOKED_AT = ["checkpoints/project", "checkpoints/checkpoint", "checkpoints/run", "procrastinate/procrastinatejob"]
CHANGED = ["auth/group", "auth/user", "account/emailaddress"] + [
    f"socialaccount/social{name}" for name in ("app", "token", "account")
]
for model in LOOKED_AT + CHANGED:
    ours = model in LOOKED_AT
    ADMIN |= {
        f"admin/{model}/": staff(200),
        f"admin/{model}/add/": staff(403 if ours else 200),
        f"admin/{model}/<path:object_id>/history/": staff(200),
        f"admin/{model}/<path:object_id>/delete/": staff(403 if ours else 200),
        f"admin/{model}/<path:object_id>/change/": staff({" ".join(METHODS[:-1]): 200, "POST": 403} if ours else 200),
        f"admin/{model}/<path:object_id>/": staff(302),
    }
TABLE = SITE | ACCOUNTS | ADMIN
# Instead of expressions.
WRITTEN_OUT = {
    r"^admin/r/": "admin/r/1/1/",
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$": "accounts/confirm-email/no-key/",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "accounts/password/reset/key/1-no-key/",
    "admin/^(?P<app_label>auth|checkpoints|account|procrastinate|socialaccount)/$": "admin/checkpoints/",
    "admin/(?P<url>.*)$": "admin/no-such-page/",
}


def routes(patterns=None, prefix=""):
    """Every route there is, as it is written."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def expected(cell):
    """The status by each method."""
    if not isinstance(cell, dict):
        return dict.fromkeys(METHODS, cell)
    named = {method: status for methods, status in cell.items() for method in methods.split()}
    return dict.fromkeys(METHODS, 405) | named


@pytest.fixture
def objects(started, head, contacts):
    """The ids in a URL, by the beginning of its route; something of every model is there."""
    Group.objects.create(name="readers")
    EmailAddress.objects.create(user=started, email=started.email)
    account = SocialAccount.objects.create(user=User.objects.create_user("bob"), provider="github", uid="1")
    app = SocialApp.objects.create(provider="github", name="GitHub", client_id="1")
    SocialToken.objects.create(account=account, app=app, token="1")
    run = Run.objects.get()
    runs.enqueue("execute", run)
    ids = {
        f"admin/{model}/": apps.get_model(model.replace("/", ".")).objects.first().pk for model in LOOKED_AT + CHANGED
    }
    return ids | {"checkpoints/": head.pk, "runs/": run.pk, "admin/r/": 1, "id": contacts()["Ada Lovelace"].id}


@pytest.fixture
def cookies(started, settings):
    """The cookies of each, by who it is; the session is in them, as to look for it thousands of times takes long."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    found = {"visitor": ""}
    stranger = User.objects.create_user("eve@example.com", "eve@example.com", "correct horse")
    boss = User.objects.create_superuser("boss@example.com", "boss@example.com", "correct horse")
    for who, user in {"stranger": stranger, "owner": started, "staff": boss}.items():
        browser = Client()
        browser.force_login(user)
        found[who] = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    return found


@pytest.fixture
def ask(objects, cookies, impatient, settings, monkeypatch):
    """A function that tells what somebody gets; what it changed in the meta database is as before."""
    settings.ACCOUNT_RATE_LIMITS = False
    handler = ClientHandler(enforce_csrf_checks=False)  # which keeps no copy of every template's context
    handler.load_middleware()
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    content = SimpleTemplateResponse.rendered_content

    def answer(who, method, route):
        beginning = next((start for start in objects if route.startswith(start)), None)
        ids = {"id": objects["id"]} if beginning == "checkpoints/" else {}
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: str(ids.get(name[1], objects.get(beginning))), route)
        request = RequestFactory().generic(method, f"/{WRITTEN_OUT.get(route, path)}", HTTP_COOKIE=cookies[who])
        # The pages of admin and accounts are the same by most methods: to write them once is enough.
        monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", content if method == "GET" else "")
        if method in EFFECTIVE:
            with transaction.atomic():
                response = handler(request.environ)
                transaction.set_rollback(True)
        else:
            response = handler(request.environ)
        signs_in = response.headers.get("Location", "").startswith("/accounts/login/?next=/")
        return LOGIN if response.status_code == 302 and signs_in else response.status_code

    return answer


def test_every_url_has_a_row_and_every_row_a_url():
    assert sorted(TABLE) == sorted(routes())


@pytest.mark.parametrize(
    "who", [who if who in {"stranger", "owner"} else pytest.param(who, marks=pytest.mark.thorough) for who in WHO]
)
def test_everybody_gets_what_the_table_says(ask, who):
    wrong = {}
    for route, row in TABLE.items():
        wanted = expected(row[WHO.index(who)])
        got = {method: ask(who, method, route) for method in METHODS}
        if got != wanted:
            wrong[route] = {
                method: (got[method], wanted[method]) for method in METHODS if got[method] != wanted[method]
            }
    assert wrong == {}
