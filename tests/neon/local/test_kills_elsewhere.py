"""Kills of the calls that change a branch: what was there stays, and the call can be repeated."""

import os
from contextlib import suppress

import pytest

from neon.local.engine import branches, databases, endpoints, roles, snapshots
from neon.local.errors import Conflict, NotFound, Unprocessable
from tests.neon.local import plane
from tests.neon.local.kills import LONGEST, check_the_cluster

KILLS = 3 if os.environ.get("KILL_POINTS") == "few" else 12
MODULES = {
    "branches": branches,
    "databases": databases,
    "endpoints": endpoints,
    "roles": roles,
    "snapshots": snapshots,
}
# What a repeated call may say when the killed one had come through.
DONE = (Conflict, NotFound, Unprocessable)


class World:
    """A project with a table that says "main", a branch without an endpoint, a role, a database and a preview."""

    def __init__(self, project):
        self.project = project
        project.sql("CREATE TABLE t AS SELECT 'main' AS world")
        main, dev = project.default["id"], project.branch("dev", endpoint=False)["id"]
        snapshot = project.snapshot()
        preview = project.did("POST", f"/snapshots/{snapshot}/restore", json={"target_branch_id": main})["branch"]["id"]
        project.did("POST", f"/branches/{main}/roles", json={"role": {"name": "reader"}})
        database = {"name": "shop", "owner_name": "neondb_owner"}
        project.did("POST", f"/branches/{main}/databases", json={"database": database})
        (endpoint,) = project.did("GET", f"/branches/{preview}/endpoints")["endpoints"]
        on_main = {"branch_id": main}
        self.calls = {
            "branches.create": {"name": "more", "parent_id": main, "with_endpoint": True},
            "branches.restore": {"branch_id": dev, "source_branch_id": main, "preserve_under_name": "before"},
            "branches.set_as_default": {"branch_id": dev},
            "databases.create": {**on_main, "name": "more", "owner_name": "neondb_owner"},
            "databases.delete": {**on_main, "name": "shop"},
            "databases.update": {**on_main, "name": "shop", "owner_name": "reader"},
            "endpoints.create": {"branch_id": dev},
            "endpoints.delete": {"endpoint_id": endpoint["id"]},
            "roles.create": {**on_main, "name": "more"},
            "roles.delete": {**on_main, "name": "reader"},
            "roles.reset_password": {**on_main, "name": "reader"},
            "snapshots.finalize_restore": {"branch_id": preview},
        }


VERBS = [
    *("branches.create", "branches.restore", "branches.set_as_default"),
    *("databases.create", "databases.delete", "databases.update"),
    *("endpoints.create", "endpoints.delete"),
    *("roles.create", "roles.delete", "roles.reset_password"),
    "snapshots.finalize_restore",
]


@pytest.mark.kill
@pytest.mark.timeout(300)
@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_leaves_what_was_there_and_no_trace_of_what_was_not_made(victim, http, verb):
    for number in range(KILLS):
        with plane.project(http) as project:
            arguments = {"project_id": project.id, **World(project).calls[verb]}
            victim.call(verb, kill_after=number * LONGEST / KILLS, **arguments)
            check_the_cluster()
            assert project.sql("SELECT world FROM t") == [("main",)]
            assert [branch["default"] for branch in project.branches().values()].count(True) == 1
            subject, name = verb.split(".")
            with suppress(DONE):
                getattr(MODULES[subject], name)(**arguments)
            assert project.sql("SELECT world FROM t") == [("main",)]
    check_the_cluster()
