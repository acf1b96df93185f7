"""The schema of a branch's database as SQL, and how it differs between two branches."""

import difflib
import os
import re
import subprocess
from contextlib import nullcontext
from typing import Any

from psycopg.conninfo import make_conninfo

from neon.local import cluster, postgres, programs, store
from neon.local.engine import databases
from neon.local.engine.access import looking
from neon.local.errors import Locked, NotFound

# What pg_dump writes beside the schema: headings, versions, session settings, and a random key at each call. It has
# to be exactly that: the body of a function may have lines that begin alike.
NOISE = re.compile(
    r"^(--\n-- (Name: .*|PostgreSQL database dump( complete)?)\n--\n+|-- Dumped (from|by) .*\n+"
    r"|SET (\w+_timeout|client_\w+|standard_conforming_strings|check_function_bodies|xmloption|row_security"
    r"|default_tablespace|default_table_access_method) = .*;\n+"
    r"|SELECT pg_catalog\.set_config\('search_path', '', false\);\n+|\\(un)?restrict .*\n+)",
    re.MULTILINE,
)
DUMP_SECONDS = 60
LOCK_SECONDS = 5.0
KNOWS_TRANSACTION_TIMEOUT = 17


def of_branch(project_id: str, branch_id: str, database: str) -> str:
    """Return a database's schema as SQL, with the names of the project's roles.

    Raises NotFound, and Locked while somebody has locked a table.
    """
    with looking(project_id) as connection:
        # With the lock: a restore would give the name to another branch's database, and a copy end our session.
        with store.lock(connection, project_id, wait=True):
            physical = databases.find(connection, project_id, branch_id, database)["physical_name"]
            served = store.endpoint_of(connection, branch_id)
            with nullcontext() if served else cluster.opened(connection, physical):
                schema = _dump(physical)
        query = "SELECT physical_name, quote_ident(name) AS name FROM roles WHERE project_id = %s"
        for role in connection.execute(query, [project_id]).fetchall():
            schema = schema.replace(role["physical_name"], role["name"])
        return schema


def compare(project_id: str, branch_id: str, base_branch_id: str, database: str) -> str:
    """Return what is different on a branch from its base (its parent unless another is named), as a unified diff.

    Raises NotFound, also for a branch without a parent when no base is named.
    """
    with looking(project_id) as connection:
        branch = store.branch(connection, project_id, branch_id)
        if not (base_id := base_branch_id or branch["parent_id"]):
            raise NotFound("the branch has no parent: base_branch_id is required")
        base = store.branch(connection, project_id, base_id)
    before, after = (of_branch(project_id, side["id"], database).splitlines(keepends=True) for side in (base, branch))
    file = f"{database}-schema.sql"
    return "".join(difflib.unified_diff(before, after, fromfile=f"a/{file}", tofile=f"b/{file}"))


def _dump(database: str) -> str:
    where = postgres.server().address()
    # The password is not among the arguments: those are shown to everybody. What an owner may have set for all sessions
    # of the database is not taken over: neither a role nor a limit of time, which pg_dump resets too late or not.
    options = "-c lc_messages=C -c role=none -c statement_timeout=0 -c idle_session_timeout=0"
    if store.version() >= KNOWS_TRANSACTION_TIMEOUT:
        options += " -c transaction_timeout=0"
    conninfo: dict[str, Any] = {**where, "password": None, "dbname": database, "options": options}
    arguments = ["--schema-only", "--encoding=UTF8", f"--lock-wait-timeout={LOCK_SECONDS * 1000:.0f}"]
    result = subprocess.run(  # noqa: S603 - a fixed program with our own arguments
        [programs.binaries() / "pg_dump", *arguments, f"--dbname={make_conninfo(**conninfo)}"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=DUMP_SECONDS,
        env={"LC_ALL": "C", "PATH": os.defpath, "PGPASSWORD": where["password"]},
    )
    if result.returncode and "canceling statement" in result.stderr:
        raise Locked
    result.check_returncode()
    schema = NOISE.sub("", result.stdout).strip("\n")
    return f"{schema}\n" if schema else ""
