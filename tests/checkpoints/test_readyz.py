"""The probe of what the process needs: /readyz."""

import pytest
from django.db import DatabaseError, connection

from neon.local import postgres

HEARTBEAT = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s))"


def heartbeat(seconds_ago):
    with connection.cursor() as cursor:
        cursor.execute(HEARTBEAT, [seconds_ago])


def test_it_is_ready_when_a_worker_is_alive(client, db):
    heartbeat(5)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"meta_database": True, "queue": True, "disk": True})
    assert "no-store" in response["Cache-Control"]


def test_it_is_not_ready_without_a_worker(client, db):
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"meta_database": True, "queue": False, "disk": True})


def test_a_worker_that_was_not_heard_of_for_long_is_none(client, db):
    heartbeat(60)
    assert client.get("/readyz").status_code == 503


def test_it_is_not_ready_without_the_meta_database(client, db):
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")  # from here on this transaction answers nothing
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"meta_database": False, "queue": False, "disk": True})


def test_other_methods_are_refused(client, db):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(client, method)("/readyz").status_code == 405, method


def test_it_is_not_ready_when_the_disk_is_nearly_full(client, db, monkeypatch):
    heartbeat(5)
    monkeypatch.setattr(postgres, "ROOM_BYTES", 2**60)
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"meta_database": True, "queue": True, "disk": False})
