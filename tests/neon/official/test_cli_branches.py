"""The official CLI makes branches, compares them, restores them and deletes them."""

import psycopg
import pytest

# What the door of a deleted branch says, while it is still there and then.
CLOSED = "has been deleted|Connection refused"


@pytest.fixture(scope="module")
def project_id(official):
    """A project with a table of one row in its default branch."""
    made = official.neon("projects", "create", "--name", "branches")
    run(made["connection_uris"][0]["connection_uri"], "CREATE TABLE note AS SELECT 'first' AS text")
    return made["project"]["id"]


@pytest.fixture
def branches(official, project_id):
    """A function that runs a command on branches of that project."""
    return lambda *arguments: official.neon("branches", *arguments, "--project-id", project_id)


@pytest.fixture
def notes(official, project_id):
    """A function that returns the rows of a branch."""
    return lambda branch: run(official.uri(project_id, branch), "SELECT text FROM note ORDER BY 1")


def run(uri, query):
    """Run a query on a fresh connection, and return the first column."""
    with psycopg.connect(uri, connect_timeout=5, autocommit=True) as connection:
        cursor = connection.execute(query)
        return [row[0] for row in cursor] if cursor.description else []


def test_a_branch_has_the_rows_of_its_parent_and_its_own_life(official, project_id, branches, notes):
    parent = official.default(project_id)
    made = branches("create", "--name", "dev")
    assert made["branch"]["parent_id"] == parent["id"]
    own = made["connection_uris"][0]["connection_uri"]
    assert run(own, "SELECT text FROM note") == ["first"]
    run(own, "INSERT INTO note VALUES ('second')")
    assert notes("dev") == ["first", "second"]
    assert notes(parent["name"]) == ["first"]
    assert {branch["name"] for branch in branches("list")} == {parent["name"], "dev"}
    assert branches("get", "dev") == branches("get", made["branch"]["id"])


def test_a_branch_without_compute_gets_one_later(official, project_id, branches):
    made = branches("create", "--name", "cold", "--no-compute", "--parent", "dev")
    assert "endpoints" not in made
    assert made["parent_id"] == official.branches(project_id)["dev"]["id"]
    arguments = ("connection-string", "cold", "--project-id", project_id)
    assert "No  endpoint found" in official.refused(*arguments)
    endpoint = branches("add-compute", "cold", "--type", "read_write")
    address = official.uri(project_id, "cold")
    assert endpoint["host"] in address
    assert run(address, "SELECT text FROM note ORDER BY 1") == ["first", "second"]
    branches("delete", "cold")
    with pytest.raises(psycopg.OperationalError, match=CLOSED):
        run(address, "SELECT 1")


def test_a_branch_is_renamed(official, project_id, branches, notes):
    before = official.branches(project_id)["dev"]
    assert branches("rename", "dev", "feature")["name"] == "feature"
    assert official.branches(project_id)["feature"]["id"] == before["id"]
    assert notes("feature") == ["first", "second"]
    assert branches("rename", "feature", "dev")["name"] == "dev"


def test_schema_diff_shows_what_one_branch_has_and_the_other_has_not(official, project_id, branches):
    run(official.uri(project_id, "dev"), "ALTER TABLE note ADD COLUMN phone text")
    diff = branches("schema-diff", official.default(project_id)["name"], "dev", "--database", "neondb")
    changed = [line for line in diff.splitlines() if line.startswith(("+ ", "- "))]
    assert changed == ["-    text text", "+    text text,", "+    phone text"]
    assert "@@" not in branches("schema-diff", "dev", "dev", "--database", "neondb")


def test_restore_takes_another_branch_and_can_keep_what_was_there(official, project_id, branches, notes):
    parent, address = official.default(project_id), official.uri(project_id, "dev")
    before = official.branches(project_id)["dev"]
    answer = branches("restore", "dev", parent["name"], "--preserve-under-name", "kept")
    assert answer["restored_branch"]["id"] == before["id"]
    assert notes("dev") == ["first"]
    assert official.uri(project_id, "dev") == address
    branches("add-compute", "kept", "--type", "read_write")
    assert notes("kept") == ["first", "second"]


def test_restore_to_the_head_of_the_parent(official, project_id, branches, notes):
    made = branches("create", "--name", "draft", "--parent", official.default(project_id)["name"])
    run(made["connection_uris"][0]["connection_uri"], "DELETE FROM note")
    assert notes("draft") == []
    branches("restore", "draft", "^parent")
    assert notes("draft") == ["first"]
    run(official.uri(project_id, "draft"), "DELETE FROM note")
    branches("reset", "draft", "--parent")
    assert notes("draft") == ["first"]


def test_a_point_in_time_is_refused_and_changes_nothing(official, project_id, branches, notes):
    said = official.refused("branches", "restore", "draft", "^self@2026-01-01T00:00:00Z", "--project-id", project_id)
    assert "keeps no history" in said
    assert notes("draft") == ["first"]


def test_the_default_branch_is_the_one_that_was_set(official, project_id, branches):
    old = official.default(project_id)
    assert branches("set-default", "draft")["default"]
    assert official.default(project_id)["name"] == "draft"
    without = official.neon("connection-string", "--project-id", project_id, "--ssl", "omit")
    assert without == official.uri(project_id, "draft")
    branches("set-default", old["id"])
    assert official.default(project_id)["id"] == old["id"]


def test_delete_takes_a_branch_and_what_connects_to_it(official, project_id, branches):
    address = official.uri(project_id, "draft")
    assert branches("delete", "draft")["name"] == "draft"
    assert "draft" not in official.branches(project_id)
    with pytest.raises(psycopg.OperationalError, match=CLOSED):
        run(address, "SELECT 1")


def test_the_default_branch_is_not_deleted(official, project_id, branches, notes):
    name = official.default(project_id)["name"]
    said = official.refused("branches", "delete", name, "--project-id", project_id)
    assert "cannot delete the default branch" in said
    assert notes(name) == ["first"]
