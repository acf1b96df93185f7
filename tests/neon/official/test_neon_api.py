"""PyPI's neon-api, all it can do: each answer has to fit the models that it was generated with."""

from urllib.parse import urlsplit

import psycopg
import pytest
from neon_api import NeonAPI
from neon_api.exceptions import NeonAPIError

from tests.browser.servers import KEY


@pytest.fixture(scope="module")
def neon(recorder):
    """The client."""
    return NeonAPI(KEY, base_url=f"{recorder.url}/")


@pytest.fixture(scope="module")
def project_id(neon):
    """A project."""
    return neon.project_create(project={"name": "python"}).project.id


@pytest.fixture
def default(neon, project_id):
    """The default branch."""
    (branch,) = [branch for branch in neon.branches(project_id).branches if branch.default]
    return branch


def uri(neon, project_id, database="neondb", role="neondb_owner"):
    """Return a URI."""
    return neon.connection_uri(project_id, database, role).uri


def who(uri):
    """Return who connects to what with a URI, which must work."""
    with psycopg.connect(uri, connect_timeout=5) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    return urlsplit(uri).username, urlsplit(uri).path[1:]


def test_the_account_is_there(neon):
    me = neon.me()
    assert me.id
    assert me.billing_account.state
    assert neon.projects(shared=True).projects == []


def test_projects_are_found_renamed_and_deleted(neon):
    made = neon.project_create(project={"name": "brief", "pg_version": 18}).project
    assert neon.project(made.id).project.name == "brief"
    assert neon.project_update(made.id, project={"name": "briefer"}).project.name == "briefer"
    assert ("briefer", made.id) in {(project.name, project.id) for project in neon.projects(limit=400).projects}
    assert neon.project_delete(made.id).project.id == made.id
    with pytest.raises(NeonAPIError, match="not found"):
        neon.project(made.id)


def test_projects_come_page_by_page(neon):
    made = {neon.project_create(project={"name": f"page {number}"}).project.id for number in range(3)}
    seen, cursor = [], None
    while page := neon.projects(limit=2, cursor=cursor).projects:
        assert len(page) <= 2
        seen += [project.id for project in page]
        cursor = seen[-1]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


def test_the_connection_uri_connects(neon, project_id):
    assert who(uri(neon, project_id)) == ("neondb_owner", "neondb")
    assert who(neon.connection_uri(project_id, "neondb", "neondb_owner", pooled=True).uri) == ("neondb_owner", "neondb")


def test_branches_are_made_renamed_and_deleted(neon, project_id, default):
    made = neon.branch_create(project_id, branch={"name": "dev"}, endpoints=[{"type": "read_write"}])
    assert made.branch.parent_id == default.id
    assert {operation.action.value for operation in made.operations} >= {"create_branch", "start_compute"}
    branch_id = made.branch.id
    assert neon.branch_update(project_id, branch_id, branch={"name": "feature"}).branch.name == "feature"
    assert neon.branch(project_id, branch_id).branch.name == "feature"
    assert {branch.name for branch in neon.branches(project_id).branches} == {default.name, "feature"}
    assert neon.branch_delete(project_id, branch_id).branch.id == branch_id
    with pytest.raises(NeonAPIError, match="not found"):
        neon.branch(project_id, branch_id)


def test_endpoints_are_made_started_and_suspended(neon, project_id, default):
    branch_id = neon.branch_create(project_id, branch={"name": "computed"}).branch.id
    assert {endpoint.branch_id for endpoint in neon.endpoints(project_id).endpoints} == {default.id}
    made = neon.endpoint_create(project_id, endpoint={"branch_id": branch_id, "type": "read_write"}).endpoint
    assert neon.endpoint(project_id, made.id).endpoint.branch_id == branch_id
    assert neon.endpoint_suspend(project_id, made.id).endpoint.id == made.id
    assert neon.endpoint(project_id, made.id).endpoint.current_state.value == "idle"
    assert neon.endpoint_start(project_id, made.id).endpoint.id == made.id
    assert neon.endpoint(project_id, made.id).endpoint.current_state.value == "active"
    assert neon.endpoint_delete(project_id, made.id).endpoint.id == made.id
    with pytest.raises(NeonAPIError, match="not found"):
        neon.endpoint(project_id, made.id)
    neon.branch_delete(project_id, branch_id)


def test_roles_are_made_given_passwords_and_deleted(neon, project_id, default):
    made = neon.role_create(project_id, default.id, "reader")
    assert made.role.password
    assert who(uri(neon, project_id, role="reader")) == ("reader", "neondb")
    assert {role.name for role in neon.roles(project_id, default.id).roles} == {"neondb_owner", "reader"}
    assert neon.role(project_id, default.id, "reader").role.password is None
    old = uri(neon, project_id, role="reader")
    reset = neon.role_password_reset(project_id, default.id, "reader")
    assert reset.role.password != made.role.password
    assert reset.role.password in uri(neon, project_id, role="reader")
    assert who(uri(neon, project_id, role="reader")) == ("reader", "neondb")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        who(old)
    assert neon.role_delete(project_id, default.id, "reader").role.name == "reader"
    with pytest.raises(NeonAPIError, match="not found"):
        neon.role(project_id, default.id, "reader")


def test_databases_are_made_renamed_and_deleted(neon, project_id, default):
    names = {"name": "library", "owner_name": "neondb_owner"}
    made = neon.database_create(project_id, default.id, database=names).database
    assert isinstance(made.id, int)
    assert who(uri(neon, project_id, "library")) == ("neondb_owner", "library")
    assert {database.name for database in neon.databases(project_id, default.id).databases} == {"neondb", "library"}
    assert neon.database(project_id, default.id, "library").database == made
    assert neon.database_update(project_id, default.id, "library", database={"name": "archive"}).database.id == made.id
    assert who(uri(neon, project_id, "archive")) == ("neondb_owner", "archive")
    assert neon.database_delete(project_id, default.id, "archive").database.name == "archive"
    with pytest.raises(NeonAPIError, match="not found"):
        neon.database(project_id, default.id, "archive")


def test_operations_come_newest_first_and_page_by_page(neon, project_id):
    operations = neon.operations(project_id, limit=1000).operations
    times = [operation.created_at for operation in operations]
    assert times == sorted(times, reverse=True)
    assert len(neon.operations(project_id, limit=2).operations) == 2
    assert neon.operation(project_id, operations[0].id).operation == operations[0]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda neon, *ids: neon.role_password_reveal(*ids, "neondb_owner"), id="reveals by POST"),
        pytest.param(lambda neon, *ids: neon.branch_set_as_primary(*ids), id="sets as primary, not as default"),
        pytest.param(lambda neon, project_id, _: neon.project_permissions(project_id), id="shares"),
        pytest.param(lambda neon, *_: neon.api_keys(), id="lists keys"),
        pytest.param(lambda neon, *_: neon.api_key_create(key_name="another"), id="makes keys"),
        pytest.param(
            lambda neon, project_id, _: neon.endpoint_update(
                project_id, neon.endpoints(project_id).endpoints[0].id, endpoint={"autoscaling_limit_max_cu": 4}
            ),
            id="scales",
        ),
        pytest.param(lambda neon, project_id, _: neon.connection_uri(project_id), id="names no database"),
        pytest.param(lambda neon, project_id, _: neon.branches("no-such-12345678"), id="knows no such project"),
    ],
)
def test_what_it_cannot_do_is_refused_in_neons_words(neon, project_id, default, call):
    with pytest.raises(NeonAPIError, match='"message"'):
        call(neon, project_id, default.id)


def test_a_wrong_key_is_refused(recorder):
    with pytest.raises(NeonAPIError, match='"message"'):
        NeonAPI("not-the-key", base_url=f"{recorder.url}/").projects()
