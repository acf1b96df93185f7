"""New keys for what is encrypted, and what is said under a wrong one: manage.py rotate_keys."""

import io
import os
import subprocess
import sys

import pytest
from django.conf import settings as site_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection

from checkpoints.models import Project
from neon import service as neon
from neon.errors import NeonError
from neon.local import passwords
from tests.checkpoints.html import HTMX, Page


@pytest.fixture
def two_keys(settings, project):
    """A project under the old key, while there is a new one."""
    old = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = ["a new key", *old]
    return settings


def rotate():
    """Run the command, and return what it says."""
    said = io.StringIO()
    call_command("rotate_keys", stdout=said)
    return said.getvalue()


def stored():
    with connection.cursor() as cursor:
        cursor.execute("SELECT database_url FROM checkpoints_project")
        return cursor.fetchone()[0]


def test_afterwards_the_new_key_is_enough(two_keys, project):
    said = rotate()
    two_keys.FIELD_ENCRYPTION_KEYS = ["a new key"]
    again = Project.objects.get()
    assert said.startswith("1 database URIs and ")
    assert again.database_url == project.database_url
    assert again.updated_at == project.updated_at
    assert neon.connect().connection_uri(project.neon_project_id) == project.database_url  # the plane's password, too


def test_before_it_is_not(two_keys, project, caplog):
    two_keys.FIELD_ENCRYPTION_KEYS = ["a new key"]
    with pytest.raises(ImproperlyConfigured):
        Project.objects.get()
    with pytest.raises(NeonError):
        neon.connect().connection_uri(project.neon_project_id)
    assert "ImproperlyConfigured: A role's password was encrypted under a key that is not in" in caplog.text


def test_it_can_be_run_again(two_keys):
    first, before = rotate(), stored()
    assert rotate() == first
    assert stored() != before


def test_under_a_wrong_key_it_says_so_and_changes_nothing(settings, project):
    before = stored()
    settings.FIELD_ENCRYPTION_KEYS = ["somebody else's"]
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        rotate()
    assert stored() == before


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "htmx"])
def test_under_a_wrong_key_a_page_says_what_to_do(owner, head, settings, headers, caplog):
    settings.FIELD_ENCRYPTION_KEYS = ["somebody else's"]
    for url in ("/", f"/checkpoints/{head.pk}/"):
        response = owner.get(url, headers=headers)
        page = Page(response)
        assert response.status_code == 503
        assert page.headings == ["The site is out of order"]
        assert "put that key back into FIELD_ENCRYPTION_KEYS" in page.one("p", class_="lead").words
        assert stored()[:10] not in response.content.decode() + caplog.text
    assert "Project.database_url was encrypted under a key" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("command", [["rotate_keys"], ["worker"], ["undo_restore", "--email", "ada"]])
def test_under_a_wrong_key_a_command_says_one_sentence(transactional_db, command, user):
    user.projects.create(name="p", neon_project_id="calm-sea-1", database_url="postgresql://ada:s3cret@db/x")
    user.email = "ada"
    user.save()
    own = {
        "DJANGO_SETTINGS_MODULE": "tests.settings_child",
        "DATA_DIR": str(site_settings.DATA_DIR),
        "TEST_DATABASE": connection.settings_dict["NAME"],
        "FIELD_ENCRYPTION_KEYS": "somebody else's",
    }
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", *command],
        env=os.environ | own,
        cwd=site_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (
        1,
        "Project.database_url was encrypted under a key that is not in FIELD_ENCRYPTION_KEYS.\n",
    )


def test_passwords_in_the_planes_memory_are_encrypted_and_differ_each_time():
    token = passwords.encrypt("s3cret")
    assert "s3cret" not in token
    assert token != passwords.encrypt("s3cret")
    assert passwords.decrypt(token) == "s3cret"
