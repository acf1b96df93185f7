"""The encrypted field."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from checkpoints.models import Project

URI = "postgresql://somebody:s3cret@db.example.com/neondb"


@pytest.fixture
def project(user):
    return Project.objects.create(owner=user, name="p", neon_project_id="calm-sea-1", database_url=URI)


def in_the_table():
    with connection.cursor() as cursor:
        cursor.execute("SELECT database_url FROM checkpoints_project")
        return cursor.fetchone()[0]


def test_what_is_written_comes_back(project):
    assert Project.objects.get().database_url == URI


def test_the_table_has_only_ciphertext(project):
    for secret in ("postgresql", "somebody", "s3cret", "example"):
        assert secret not in in_the_table()


def test_equal_texts_look_different_each_time(project):
    before = in_the_table()
    project.save()
    assert in_the_table() != before


def test_an_older_key_still_reads_and_the_newest_writes(project, settings):
    old = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = ["a new key", *old]
    kept = Project.objects.get()
    assert kept.database_url == URI
    kept.save()
    settings.FIELD_ENCRYPTION_KEYS = ["a new key"]
    assert Project.objects.get().database_url == URI


def test_under_a_wrong_key_nothing_is_handed_back(project, settings):
    settings.FIELD_ENCRYPTION_KEYS = ["somebody else's"]
    with pytest.raises(ImproperlyConfigured, match=r"^Project.database_url was encrypted under a key that is not"):
        Project.objects.get()


@pytest.mark.parametrize("damaged", ["", "junk", "gAAAAAB", URI])
def test_what_is_no_ciphertext_is_not_handed_back_either(project, damaged):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE checkpoints_project SET database_url = %s", [damaged])
    with pytest.raises(ImproperlyConfigured):
        Project.objects.get()


def test_text_of_any_kind_survives(project):
    project.database_url = "é☃\n%s" * 1000
    project.save()
    assert Project.objects.get().database_url == project.database_url


def test_nothing_at_all_stays_nothing():
    field = Project._meta.get_field("database_url")
    assert field.get_prep_value(None) is None
    assert field.from_db_value(None, None, None) is None
