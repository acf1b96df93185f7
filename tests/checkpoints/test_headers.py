"""The headers that tell a browser what not to do, on every answer."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as site_settings
from django.test import Client

from checkpoints.views import pages
from tests.checkpoints.html import HTMX
from tests.checkpoints.test_checks import PRODUCTION

EVERYWHERE = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.fixture
def static_file(settings):
    """The address of a static file."""
    path = settings.STATIC_ROOT / "probe.css"
    path.write_text("a {}")
    yield "/static/probe.css"
    path.unlink()


@pytest.fixture
def answers(static_file, owner, head, impatient, settings, monkeypatch):
    """Answers of every kind, by what they are."""
    visitor = Client(raise_request_exception=False)
    strict = Client(enforce_csrf_checks=True)
    found = {
        "page": visitor.get("/"),
        "own page": owner.get(f"/checkpoints/{head.pk}/"),
        "fragment": owner.get(f"/checkpoints/{head.pk}/?tab=meta", headers=HTMX | {"HX-Target": "tab"}),
        "accounts": visitor.get("/accounts/login/"),
        "admin": visitor.get("/admin/"),
        "probe": visitor.get("/healthz"),
        "json": visitor.get("/readyz"),
        "static file": visitor.get(static_file),
        "redirect": visitor.post("/start/"),
        "slash": visitor.get("/start"),
        "400": owner.generic("POST", "/start/", b"x", content_type="multipart/form-data"),
        "another host": visitor.get("/", headers={"Host": "evil.example"}),
        "403": visitor.get("/demo/sign-in/"),
        "no token": strict.post("/accounts/login/"),
        "404": visitor.get("/nothing/"),
        "405": owner.get("/start/"),
    }
    settings.USER_ACTIONS_PER_MINUTE = 1
    owner.post("/start/")
    found["429"] = owner.post("/start/")
    monkeypatch.setattr(pages, "TABS", None)
    owner.raise_request_exception = False
    found["500"] = owner.get(f"/checkpoints/{head.pk}/?tab=app")
    assert b"".join(found["static file"].streaming_content) == b"a {}"  # which closes the file
    return found


def test_every_answer_has_them(answers):
    statuses = {name: answer.status_code for name, answer in answers.items() if name.isdigit()}
    assert statuses == {name: int(name) for name in statuses}
    assert {answers["static file"].status_code, answers["page"].status_code} == {200}
    assert (answers["another host"].status_code, answers["no token"].status_code) == (400, 403)
    for name, answer in answers.items():
        assert {header: answer.get(header) for header in EVERYWHERE} == EVERYWHERE, name
        assert "default-src 'none'" in answer["Content-Security-Policy"], name
        assert "unsafe" not in answer["Content-Security-Policy"], name
        assert "Server" not in answer, name
        assert "X-Powered-By" not in answer, name


def test_only_static_files_are_kept_by_others_than_the_browser(answers):
    kept = {name for name, answer in answers.items() if "public" in answer["Cache-Control"]}
    assert kept == {"static file"}
    assert "no-store" in answers["own page"]["Cache-Control"]


def test_production_insists_on_https_and_on_its_own_cookies(tmp_path):
    script = """
import django
django.setup()
from django.conf import settings
from django.test import Client, override_settings
host = {"SERVER_NAME": "checkpoints.example.com"}
answer = Client(**host).get("/nothing/")
print(answer.status_code, answer["Location"])
files = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
sessions = "django.contrib.sessions.backends.signed_cookies"  # there is no database
with override_settings(STORAGES=settings.STORAGES | files, SESSION_ENGINE=sessions):
    answer = Client(**host).get("/nothing/", headers={"X-Forwarded-Proto": "https"})
print(answer.status_code, answer["Strict-Transport-Security"])
for name, cookie in answer.cookies.items():
    print(name, cookie["path"], cookie["domain"] or "-", cookie["secure"], cookie["httponly"], cookie["samesite"])
print(settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
        | PRODUCTION,
        cwd=site_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == [
        "301 https://checkpoints.example.com/nothing/",
        "404 max-age=31536000; includeSubDomains; preload",
        "__Host-csrftoken / - True True Lax",
        "__Host-sessionid True True",
    ], run.stderr
