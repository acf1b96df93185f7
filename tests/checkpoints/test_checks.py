"""Settings mistakes, and what production insists on."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as site_settings
from django.core.management import call_command

from checkpoints import checks

PRODUCTION = {
    "ALLOWED_HOSTS": "checkpoints.example.com",
    "SECRET_KEY": "a-secret-key-of-fifty-characters-or-more-0123456789-abcdefghij",
    "DATABASE_URL": "postgres://site:secret@db.example.com/checkpoints",
    "NEON_API_KEY": "napi_secret",
}


def python(arguments, environment, tmp_path):
    """Run Python on the project in an environment of these variables alone."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **environment},
        cwd=site_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def ids(settings, **changes):
    for name, value in changes.items():
        setattr(settings, name, value)
    every = (
        checks.check_neon,
        checks.check_local_plane,
        checks.check_keys,
        checks.check_meta_database,
        checks.check_logging,
    )
    found = [message for check in every for message in check(None)]
    assert all(message.hint for message in found)
    return [message.id for message in found]


def test_the_tests_own_settings_are_fine(settings):
    assert ids(settings) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"NEON_LOCAL": False}, ["checkpoints.E001"]),
        ({"NEON_LOCAL": False, "NEON_API_KEY": "napi_x"}, []),
        ({"NEON_API_URL": "console.neon.tech/api/v2"}, ["checkpoints.E002"]),
        ({"NEON_API_URL": "ftp://console.neon.tech"}, ["checkpoints.E002"]),
        ({"NEON_API_KEY": "napi_x", "NEON_API_URL": "http://neon.example.com"}, ["checkpoints.E003"]),
        ({"NEON_API_KEY": "napi_x", "NEON_API_URL": "http://127.0.0.1:9000/api/v2"}, []),
        ({"NEON_LOCAL_OPERATION_SECONDS": -1.0}, ["checkpoints.E004"]),
        ({"NEON_LOCAL_SNAPSHOT_LIMIT": -1}, ["checkpoints.E004"]),
        ({"NEON_LOCAL_ROOT_BRANCH_LIMIT": -1}, ["checkpoints.E004"]),
        ({"NEON_LOCAL_RECOVERY_SECONDS": -0.5}, ["checkpoints.E004"]),
        ({"NEON_LOCAL_API_KEY": "schlüssel"}, ["checkpoints.E006"]),
        ({"NEON_LOCAL_API_KEY": "two\nlines"}, ["checkpoints.E006"]),
        ({"NEON_LOCAL_API_KEY": " spaced"}, ["checkpoints.E006"]),
        ({"NEON_LOCAL_FAULTS": True}, []),
        ({"NEON_LOCAL_FAULTS": True, "LOCAL": False}, ["checkpoints.E007", "checkpoints.W001"]),
        ({"USER_ACTIONS_PER_MINUTE": -1}, ["checkpoints.E004"]),
        ({"ADDRESS_ACTIONS_PER_MINUTE": -1}, ["checkpoints.E004"]),
        ({"LOG_FORMAT": "xml"}, ["checkpoints.E008"]),
        ({"LOG_FORMAT": "json"}, []),
        ({"FIELD_ENCRYPTION_KEYS": []}, ["checkpoints.E005"]),
        ({"LOCAL": False}, ["checkpoints.W001"]),
    ],
)
def test_each_mistake_has_its_id(settings, changes, expected):
    assert ids(settings, **changes) == expected


def test_a_key_that_is_refused_is_not_quoted(settings):
    settings.NEON_LOCAL_API_KEY = "schlüssel"
    (found,) = checks.check_local_plane(None)
    assert "schl" not in f"{found} {found.hint}"


def test_a_production_site_passes_the_deployment_checks(tmp_path):
    check = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    run = python(check, PRODUCTION, tmp_path)
    assert run.returncode == 0, run.stderr
    assert "no issues" in run.stdout


def test_production_needs_a_secret_key(tmp_path):
    run = python(["manage.py", "check"], PRODUCTION | {"SECRET_KEY": ""}, tmp_path)
    assert run.returncode != 0
    assert run.stderr.strip().endswith("Set SECRET_KEY: it is required when ALLOWED_HOSTS is set.")


def test_production_does_not_start_without_neon(tmp_path):
    run = python(["-c", "import config.wsgi"], PRODUCTION | {"NEON_API_KEY": ""}, tmp_path)
    assert run.returncode != 0
    assert "checkpoints.E001" in run.stderr


def test_production_on_the_local_plane_has_to_be_meant(tmp_path):
    run = python(["manage.py", "check"], PRODUCTION | {"NEON_API_KEY": "", "NEON_LOCAL": "1"}, tmp_path)
    assert run.returncode == 0, run.stderr


def test_production_has_no_sign_in_link(tmp_path):
    script = """
import config.wsgi
from django.conf import settings
from django.urls import NoReverseMatch, reverse
assert not [backend for backend in settings.AUTHENTICATION_BACKENDS if "sesame" in backend]
assert settings.SESSION_COOKIE_SECURE and settings.SECURE_SSL_REDIRECT
try:
    reverse("demo_sign_in")
except NoReverseMatch:
    print("none")
"""
    run = python(["-c", script], PRODUCTION, tmp_path)
    assert (run.returncode, run.stdout) == (0, "none\n"), run.stderr


def test_the_models_have_their_migrations(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
