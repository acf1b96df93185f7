"""Django's connection to the embedded server: whether it is still good is seen without asking."""

import time

import pytest
from django.db import DatabaseError, connection, transaction

from tests.neon.local import plane


def session():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_it_costs_no_query(transactional_db, django_assert_num_queries):
    session()
    with django_assert_num_queries(0):
        assert connection.is_usable()


def test_one_that_the_server_has_ended_is_not_usable_and_the_next_takes_its_place(transactional_db):
    ended = session()
    with plane.superuser("postgres") as superuser:
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [ended])
    deadline = time.monotonic() + 5
    while connection.is_usable() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not connection.is_usable()
    connection.health_check_enabled, connection.health_check_done = True, False
    assert session() != ended


def test_one_whose_transaction_has_failed_is_not_usable(transactional_db):
    with transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT 1 / 0")
        assert not connection.is_usable()
        transaction.set_rollback(True)
    assert connection.is_usable()
