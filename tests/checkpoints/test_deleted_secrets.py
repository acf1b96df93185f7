"""What a deleted project's password leaves behind in the databases: nothing, in the clear or encrypted."""

import pytest
from django.db import connection
from psycopg import conninfo, sql

from checkpoints import runs, services
from checkpoints.models import Project, Run
from neon import service as neon
from neon.local import store
from tests.checkpoints import flows

TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


def everything(execute):
    """Return every row of every table, and every role of the cluster, as text."""
    names = [row[0] for row in execute(TABLES)]
    found = [row[0] for name in names for row in execute(f"SELECT t::text FROM {name} AS t")]
    return "\n".join([*found, *(row[0] for row in execute("SELECT t::text FROM pg_authid AS t"))]), len(names)


def meta():
    def execute(query):
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    return everything(execute)


def plane():
    with store.connection() as lent:
        return everything(lambda query: [tuple(row.values()) for row in lent.execute(sql.SQL(query))])


@pytest.fixture
def secrets(project):
    """What is secret of a project, by where it is: the URI encrypted, its parts in the clear, the role's verifier."""
    parts = conninfo.conninfo_to_dict(project.database_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT database_url FROM checkpoints_project WHERE id = %s", [project.pk])
        encrypted = cursor.fetchone()[0]
    with store.connection() as lent:
        role = store.one(lent, "SELECT password FROM roles WHERE physical_name = %s", parts["user"])
    return {
        "password": parts["password"],
        "URI": encrypted,
        "role's password": role["password"],
        "role": parts["user"],
    }


def seen(secrets):
    (meta_text, meta_tables), (plane_text, plane_tables) = meta(), plane()
    assert meta_tables > 15
    assert plane_tables > 5
    text = meta_text + plane_text
    return {name for name, secret in secrets.items() if secret in text}


def test_while_there_is_a_project_its_password_is_only_there_encrypted(secrets, head):
    flows.advance(head)
    flows.restore(head)
    assert seen(secrets) == {"URI", "role's password", "role"}


def test_a_replaced_project_leaves_no_secret(secrets, started):
    run = flows.start(started)
    assert run.status == Run.Status.SUCCEEDED
    runs.clean_up(run.pk)
    neon.upkeep()
    assert seen(secrets) == set()


def test_a_deleted_project_leaves_no_secret(secrets, project):
    services.delete_project(project)
    neon.upkeep()
    assert not Project.objects.exists()
    assert seen(secrets) == set()


def test_while_it_can_be_recovered_its_password_is_kept_encrypted(secrets, project, settings):
    settings.NEON_LOCAL_RECOVERY_SECONDS = 60
    services.delete_project(project)
    neon.upkeep()
    assert seen(secrets) == {"role's password", "role"}
