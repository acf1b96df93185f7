"""The official CLI takes snapshots and restores them, in one step and in two."""

import psycopg
import pytest


class App:
    """A project, its snapshots and its rows."""

    def __init__(self, official):
        self.official = official
        self.id = official.neon("projects", "create", "--name", "snapshots")["project"]["id"]
        self.uri = self.uri_of()

    def neon(self, *arguments):
        return self.official.neon(*arguments, "--project-id", self.id)

    def uri_of(self, branch=""):
        return self.official.uri(self.id, branch)

    def snapshot(self, name):
        return self.neon("snapshots", "create", "--name", name)

    def snapshots(self):
        return [snapshot["name"] for snapshot in self.official.api(f"projects/{self.id}/snapshots")["snapshots"]]

    def branches(self):
        return self.official.branches(self.id)

    @property
    def default(self):
        return self.official.default(self.id)

    def run(self, query, uri=None):
        with psycopg.connect(uri or self.uri, connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(query)
            return [row[0] for row in cursor] if cursor.description else []

    def steps(self, uri=None):
        return self.run("SELECT name FROM step ORDER BY number", uri)


@pytest.fixture(scope="module")
def app(official):
    """A project with a table that has a row of its own for every step."""
    app = App(official)
    app.run("CREATE TABLE step (number serial, name text)")
    app.run("INSERT INTO step (name) VALUES ('one')")
    return app


def test_a_snapshot_is_listed_and_found_by_id_and_by_name(app):
    made = app.snapshot("at one")
    assert made["source_branch_id"] == app.default["id"]
    assert [snapshot["name"] for snapshot in app.neon("snapshots", "list")] == ["at one"]
    assert app.neon("snapshots", "get", made["id"])["id"] == app.neon("snapshots", "get", "at one")["id"] == made["id"]


def test_a_snapshot_is_renamed_and_given_an_end(app):
    app.snapshot("brief")
    made = app.neon("snapshots", "update", "brief", "--name", "long", "--expires-at", "2999-12-31T23:59:59Z")
    assert made["name"] == "long"
    assert made["expires_at"].startswith("2999-12-31T23:59:59")
    assert not app.neon("snapshots", "update", "long", "--clear-expiration").get("expires_at")
    app.neon("snapshots", "delete", "long")
    assert app.snapshots() == ["at one"]


def test_a_restore_in_one_step_keeps_the_uri_and_sets_the_old_branch_aside(app):
    app.run("INSERT INTO step (name) VALUES ('two')")
    app.snapshot("at two")
    before = app.default
    restored = app.neon("snapshots", "restore", "at one", "--target-branch", before["id"], "--finalize")
    after = app.default
    assert after["id"] == restored["restored_branch"]["id"] != before["id"]
    assert after["name"] == before["name"]
    assert app.branches()[f"{before['name']} (old)"]["id"] == before["id"]
    assert app.uri_of() == app.uri
    assert app.steps() == ["one"]


def test_a_sequence_goes_on_from_where_the_snapshot_had_it(app):
    app.run("INSERT INTO step (name) VALUES ('other two')")
    assert app.run("SELECT number FROM step ORDER BY 1") == [1, 2]


def test_a_restore_in_two_steps_is_looked_at_before_anything_changes(app):
    before = app.default
    restored = app.neon("snapshots", "restore", "at two", "--target-branch", before["id"], "--name", "preview")
    preview = restored["restored_branch"]
    uri = app.uri_of("preview")
    assert preview["name"] == "preview"
    assert preview["id"] != before["id"] == app.default["id"]
    assert uri != app.uri
    assert app.steps(uri) == ["one", "two"]
    assert app.steps() == ["one", "other two"]
    app.neon("snapshots", "finalize", preview["id"], "--name", "set aside")
    assert app.default["id"] == preview["id"]
    assert app.default["name"] == before["name"]
    assert app.branches()["set aside"]["id"] == before["id"]
    assert app.uri_of() == app.uri
    assert app.steps() == ["one", "two"]


def test_a_replaced_branch_still_has_its_rows(app):
    app.neon("branches", "add-compute", "set aside", "--type", "read_write")
    assert app.steps(app.uri_of("set aside")) == ["one", "other two"]


def test_deleting_the_replaced_branches_leaves_the_snapshots_and_the_rows(app):
    for branch in app.branches().values():
        if not branch["default"]:
            app.neon("branches", "delete", branch["id"])
    assert list(app.branches()) == [app.default["name"]]
    assert app.steps() == ["one", "two"]
    app.neon("snapshots", "restore", "at one", "--target-branch", app.default["id"], "--finalize")
    assert app.steps() == ["one"]


def test_a_deleted_snapshot_is_gone(app):
    assert app.neon("snapshots", "delete", "at two")["name"] == "at two"
    assert app.snapshots() == ["at one"]
    said = app.official.refused("snapshots", "restore", "at two", "--project-id", app.id)
    assert "not found" in said


def test_a_new_project_has_no_schedule(app):
    assert app.neon("snapshots", "schedule", "get") == []


def test_a_schedule_is_refused_because_there_is_no_cloud(app):
    arguments = ("snapshots", "schedule", "set", "--frequency", "daily", "--hour", "3", "--project-id", app.id)
    assert "not part of the local control plane" in app.official.refused(*arguments)
    assert app.neon("snapshots", "schedule", "get") == []
