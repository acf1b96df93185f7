"""Accounts: sign up, in and out, a new password, and signing in through others."""

import re
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.urls import get_resolver
from django.urls.resolvers import URLPattern

from tests.checkpoints.html import Page

ADA = {"login": "ada@example.com", "password": "correct horse"}
NEW = "battery staple 9"


def is_signed_in(client):
    return "_auth_user_id" in client.session


def account_pages():
    """Every page but those that need a key from a mail."""
    (accounts,) = [entry for entry in get_resolver().url_patterns if str(entry.pattern) == "accounts/"]
    found = [f"/accounts/{entry.pattern}" for entry in accounts.url_patterns if isinstance(entry, URLPattern)]
    return [path for path in found if "(" not in path]


def test_signing_up_signs_in(client, db):
    response = client.post("/accounts/signup/", {"email": "new@example.com", "password1": NEW}, follow=True)
    page = Page(response)
    assert response.redirect_chain == [("/", 302)]
    assert "Start demo" in page.labels
    assert "Account new@example.com" in page.labels
    assert User.objects.get().email == "new@example.com"


@pytest.mark.parametrize(
    "values",
    [
        {"email": "", "password1": NEW},
        {"email": "nobody", "password1": NEW},
        {"email": "new@example.com", "password1": ""},
        {"email": "new@example.com", "password1": "12345678"},
        {"email": "new@example.com", "password1": "short"},
        {"email": "new@example.com\x00", "password1": NEW},
        {"email": "new@example.com", "password1": "battery\x00staple 9"},
    ],
)
def test_a_sign_up_that_is_not_valid_is_shown_again(client, db, values):
    page = Page(client.post("/accounts/signup/", values))
    assert page.all("ul", class_="errorlist")
    assert page.one("input", name="email")["value"] in {values["email"] or None, values["email"].strip("\x00")}
    assert not User.objects.exists()


def test_nobody_signs_up_twice(client, user):
    client.post("/accounts/signup/", {"email": user.email, "password1": NEW})
    assert User.objects.count() == 1
    assert not is_signed_in(client)


def test_signing_in(client, user):
    assert client.post("/accounts/login/", ADA)["Location"] == "/"
    assert is_signed_in(client)


def test_signing_in_leads_back(client, user, head):
    page = Page(client.get(f"/checkpoints/{head.pk}/", follow=True))
    response = client.post("/accounts/login/", ADA | {"next": page.one("input", name="next")["value"]})
    assert response["Location"] == f"/checkpoints/{head.pk}/"


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(client, user, next_page):
    assert client.post("/accounts/login/", ADA | {"next": next_page})["Location"] == "/"


def test_a_wrong_password_and_an_unknown_address_are_said_alike(client, user):
    wrong, unknown = (
        Page(client.post("/accounts/login/", ADA | values)).alerts
        for values in ({"password": "wrong"}, {"login": "nobody@example.com"})
    )
    assert wrong == unknown != []


@pytest.mark.parametrize("values", [{"password": "wrong"}, {"login": "nobody@example.com"}, {"login": ""}])
def test_who_cannot_sign_in_is_told(client, user, values):
    assert Page(client.post("/accounts/login/", ADA | values)).alerts
    assert not is_signed_in(client)


def test_signing_out(owner):
    assert "Sign out" in Page(owner.get("/accounts/logout/")).labels
    assert is_signed_in(owner)
    assert owner.post("/accounts/logout/")["Location"] == "/"
    assert not is_signed_in(owner)


def test_a_forgotten_password_is_replaced_by_mail(client, user, mailoutbox):
    client.post("/accounts/password/reset/", {"email": user.email})
    (mail,) = mailoutbox
    (link,) = re.findall(r"https?://testserver(/\S+)", mail.body)
    form = client.get(link, follow=True)
    assert Page(form).one("input", name="password1")["autocomplete"] == "new-password"
    response = client.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    assert response.status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)
    client.logout()
    assert client.post("/accounts/login/", ADA | {"password": NEW})["Location"] == "/"


def test_whether_an_address_is_known_is_not_told(client, user):
    known = client.post("/accounts/password/reset/", {"email": user.email})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.com"})
    assert known["Location"] == unknown["Location"]


def test_a_reset_link_that_is_not_one_is_said(client, db):
    response = client.get("/accounts/password/reset/key/1-junk/")
    assert response.status_code == 200
    assert not Page(response).all("input", type="password")


def test_a_password_is_changed(client, user):
    client.post("/accounts/login/", ADA)
    values = {"oldpassword": ADA["password"], "password1": NEW, "password2": NEW}
    assert client.post("/accounts/password/change/", values).status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)


def test_every_account_page_is_ours(owner, client):
    for path in account_pages():
        for browser in (owner, client):
            response = browser.get(path, follow=True)
            page = Page(response)
            assert response.status_code == (401 if path.endswith("login/error/") else 200), path
            assert page.all("a", class_="brand"), path
            assert page.headings, path


def test_trying_passwords_is_limited_per_account(client, user):
    for _ in range(5):
        client.post("/accounts/login/", ADA | {"password": "wrong"})
    client.post("/accounts/login/", ADA)
    assert not is_signed_in(client)


def test_without_keys_nobody_else_signs_in(client, db):
    assert not [label for label in Page(client.get("/accounts/login/")).labels if label.startswith("Continue with")]


def test_with_their_keys_github_and_google_are_offered(db):
    """In a process of its own, as the settings decide which apps there are."""
    script = """
import django, sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from django.test import Client, override_settings
files = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
with override_settings(STORAGES=settings.STORAGES | files, ALLOWED_HOSTS=["testserver"]):
    response = Client().get("/accounts/login/")
    print(response["Content-Security-Policy"])
    print(response.content.decode())
    print(Client().post("/accounts/github/login/")["Location"])
"""
    keys = {
        f"{provider}_{name}": f"{provider.lower()}-{name.lower()}"
        for provider in ("GITHUB", "GOOGLE")
        for name in ("CLIENT_ID", "SECRET")
    }
    environment = keys | {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(settings.DATA_DIR)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, connection.settings_dict["NAME"]],
        env=environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Continue with GitHub" in run.stdout
    assert "Continue with Google" in run.stdout
    assert "form-action 'self' https://github.com https://accounts.google.com" in run.stdout
    assert "https://github.com/login/oauth/authorize?client_id=github-client_id" in run.stdout
    assert "github-secret" not in run.stdout
