"""The three long actions, executed in this thread, and what they leave behind."""

import time

import psycopg
from psycopg import conninfo, sql

from checkpoints import runs
from checkpoints.models import Project, Run
from contacts import versions
from neon import service as neon
from neon.local import postgres
from tests.contacts.everybody import everybody


def start(owner):
    """Start the owner's demo, or start it again."""
    return done(runs.begin(owner=owner, kind=Run.Kind.START, project=Project.objects.current(owner), queue=False))


def advance(checkpoint):
    """Apply the prompt that follows a checkpoint."""
    return done(begin(checkpoint, Run.Kind.ADVANCE))


def restore(checkpoint, **facts):
    """Put the database back to a checkpoint."""
    return done(begin(checkpoint, Run.Kind.RESTORE, **facts))


def begin(checkpoint, kind, **facts):
    """Return a new run towards, or from, a checkpoint, which nobody executes yet."""
    project = checkpoint.project
    return runs.begin(owner=project.owner, kind=kind, project=project, target=checkpoint, queue=False, **facts)


def undo(project):
    """Return to what the last restore replaced."""
    return done(runs.begin(owner=project.owner, kind=Run.Kind.UNDO, project=project, queue=False))


def delete(checkpoint):
    """Delete a checkpoint."""
    return done(begin(checkpoint, Run.Kind.DELETE))


def done(run):
    """Execute a run, and return it as it then is."""
    runs.execute(run.pk)
    return Run.objects.get(pk=run.pk)


def people(project, version=None):
    """Return the contacts by name, as the app database has them, which is at the head's version."""
    version = versions.get(version or Project.objects.get(pk=project.pk).head.version)
    return {contact.name: contact for contact in everybody(project.database_url, version)}


def neon_projects(owner):
    """Return the ids of the Neon projects that were made for somebody."""
    return {project.id for project in neon.connect().client.list_projects(search=f"checkpoints-{owner.pk}-")}


def branches(project):
    """Return the names of the project's branches in Neon."""
    return {branch.name for branch in neon.connect().client.list_branches(project.neon_project_id)}


def snapshots(project):
    """Return the ids of the project's snapshots in Neon."""
    return {snapshot.id for snapshot in neon.connect().client.list_snapshots(project.neon_project_id)}


def execute(uri, statement):
    """Run SQL in an app database, past the site."""
    with psycopg.connect(uri) as connection:
        connection.execute(statement)


def superuser(database="postgres"):
    """Connect as the superuser of the server."""
    return psycopg.connect(**postgres.server().address(), dbname=database, autocommit=True)


def shut(uri):
    """Let nobody connect to an app database any more, and end who is connected."""
    allow_connections(uri, False)
    name = conninfo.conninfo_to_dict(uri)["dbname"]
    with superuser() as connection:
        while connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        ).fetchall():
            time.sleep(0.001)


def allow_connections(uri, allowed):
    """Open an app database to connections, or close it."""
    name = conninfo.conninfo_to_dict(uri)["dbname"]
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with superuser() as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(allowed)))
