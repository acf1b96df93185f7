"""Whatever stands in a body, it is understood or refused with Neon's error; nothing fails, and nothing is ignored."""

import pytest

from tests.neon.local import plane

HUGE = "x" * 3_000_000  # more than Django reads
TEXTS = [5, 1.5, True, ["a"], {"a": "b"}, "\ud800", "a\0b", "x" * 300, HUGE]
FLAGS = [0, 1, "true", "no", [], {}, HUGE]
TIMES = [5, True, "tomorrow", "2020-01-01T00:00:00Z", "2099-13-01T00:00:00Z", "\ud800", [], {}, HUGE]
OBJECTS = [5, "x", True, [], HUGE]
NEEDED = [None, ""]
BRANCH = "/branches/{branch_id}"
# Method, path, a body that would succeed, where in it to put something else, and what.
FIELDS = [
    ("POST", "", {"project": {}}, ["project"], [None, *OBJECTS]),
    ("POST", "", {"project": {}}, ["project", "name"], ["", *TEXTS]),
    ("POST", "", {"project": {}}, ["project", "pg_version"], ["18", True, 3, 99, 10**30, [], {}, HUGE]),
    ("POST", "", {"project": {}}, ["project", "store_passwords"], FLAGS),
    ("POST", "", {"project": {}}, ["project", "branch"], OBJECTS),
    ("POST", "", {"project": {}}, ["project", "org_id"], ["org-no-such-12345678", *TEXTS]),
    ("POST", "", {"project": {}}, ["project", "default_endpoint_settings"], OBJECTS),
    ("POST", "", {"project": {"branch": {}}}, ["project", "branch", "annotations"], OBJECTS),
    *(
        ("POST", "", {"project": {"branch": {}}}, ["project", "branch", name], ["", *TEXTS])
        for name in ("name", "database_name", "role_name")
    ),
    ("PATCH", "/", {"project": {}}, ["project"], [None, *OBJECTS]),
    ("PATCH", "/", {"project": {}}, ["project", "name"], ["", *TEXTS]),
    ("PATCH", "/", {"project": {}}, ["project", "default_endpoint_settings"], OBJECTS),
    ("POST", "/branches", {"branch": {}}, ["branch"], OBJECTS),
    ("POST", "/branches", {}, ["annotation_value"], OBJECTS),
    ("POST", "/branches", {"branch": {}}, ["branch", "name"], ["", *TEXTS]),
    ("POST", "/branches", {"branch": {}}, ["branch", "parent_id"], TEXTS),
    ("POST", "/branches", {"branch": {}}, ["branch", "protected"], FLAGS),
    ("POST", "/branches", {"branch": {}}, ["branch", "expires_at"], TIMES),
    ("POST", "/branches", {"branch": {}}, ["branch", "init_source"], ["everything", *TEXTS]),
    ("POST", "/branches", {}, ["endpoints"], [5, "read_write", {"type": "read_write"}, [5], [None], [[]], HUGE]),
    *(
        ("POST", "/branches", {"endpoints": [{"type": kind}]}, ["branch", "name"], [5])
        for kind in ("read_write", "read_only")
    ),
    ("POST", "/branches", {"endpoints": [{}]}, ["endpoints", 0, "type"], [*NEEDED, "both", *TEXTS]),
    ("PATCH", BRANCH, {"branch": {}}, ["branch"], [None, *OBJECTS]),
    ("PATCH", BRANCH, {"branch": {}}, ["branch", "name"], ["", *TEXTS]),
    ("PATCH", BRANCH, {"branch": {}}, ["branch", "protected"], FLAGS),
    ("PATCH", BRANCH, {"branch": {}}, ["branch", "expires_at"], TIMES),
    ("POST", BRANCH + "/restore", {}, ["source_branch_id"], [*NEEDED, *TEXTS]),
    (
        "POST",
        BRANCH + "/restore",
        {"source_branch_id": "{dev_id}"},
        ["preserve_under_name"],
        ["", *TEXTS],
    ),
    ("POST", BRANCH + "/databases", {"database": {}}, ["database"], [None, *OBJECTS]),
    *(
        (
            "POST",
            BRANCH + "/databases",
            {"database": {"name": "new", "owner_name": "neondb_owner"}},
            ["database", name],
            [*NEEDED, *TEXTS],
        )
        for name in ("name", "owner_name")
    ),
    *(
        ("PATCH", BRANCH + "/databases/neondb", {"database": {}}, ["database", name], ["", *TEXTS])
        for name in ("name", "owner_name")
    ),
    ("POST", BRANCH + "/roles", {"role": {}}, ["role"], [None, *OBJECTS]),
    ("POST", BRANCH + "/roles", {"role": {}}, ["role", "name"], [*NEEDED, *TEXTS]),
    ("POST", BRANCH + "/roles", {"role": {"name": "new"}}, ["role", "no_login"], FLAGS),
    ("POST", "/endpoints", {"endpoint": {}}, ["endpoint"], [None, *OBJECTS]),
    ("POST", "/endpoints", {"endpoint": {"type": "read_write"}}, ["endpoint", "branch_id"], [*NEEDED, *TEXTS]),
    (
        "POST",
        "/endpoints",
        {"endpoint": {"branch_id": "{dev_id}"}},
        ["endpoint", "type"],
        [*NEEDED, "both", *TEXTS],
    ),
    (
        "POST",
        "/endpoints",
        {"endpoint": {"branch_id": "{dev_id}", "type": "read_write"}},
        ["endpoint", "name"],
        ["", *TEXTS],
    ),
    *(("POST", BRANCH + "/snapshot", {}, [name], TEXTS) for name in ("name", "slug")),
    ("POST", BRANCH + "/snapshot", {}, ["expires_at"], TIMES),
    ("PATCH", "/snapshots/{snapshot_id}", {"snapshot": {}}, ["snapshot"], [None, *OBJECTS]),
    ("PATCH", "/snapshots/{snapshot_id}", {"snapshot": {}}, ["snapshot", "name"], ["", *TEXTS]),
    ("PATCH", "/snapshots/{snapshot_id}", {"snapshot": {}}, ["snapshot", "expires_at"], TIMES),
    ("POST", "/snapshots/{snapshot_id}/restore", {}, ["name"], ["", *TEXTS]),
    ("POST", "/snapshots/{snapshot_id}/restore", {}, ["target_branch_id"], TEXTS),
    ("POST", "/snapshots/{snapshot_id}/restore", {}, ["finalize_restore"], FLAGS),
    ("POST", BRANCH + "/finalize_restore", {}, ["name"], ["", *TEXTS]),
]
WHOLE = [b"{", b"[]", b"5", b'"x"', b"null", b"\xff", b"[" * 100_000, b'{"project": ' + b"9" * 5000 + b"}"]


@pytest.fixture(scope="module")
def world(http):
    """A project that the requests are about, with the ids of what it has."""
    with plane.project(http) as made:
        made.ids = {
            "branch_id": made.default["id"],
            "dev_id": made.branch("dev", endpoint=False)["id"],
            "snapshot_id": made.snapshot(),
        }
        yield made


def look(project):
    """Return all that a project has."""
    branch = f"/branches/{project.default['id']}"
    paths = ["", "/branches", "/endpoints", "/snapshots", f"{branch}/databases", f"{branch}/roles"]
    return {path: project.did("GET", path) for path in paths} | {
        "projects": {row["id"] for row in project.http.get("projects", params={"limit": 400}).json()["projects"]}
    }


def put(body, where, value, ids):
    """Return the body with the value in its place, and ids for their names."""
    if not where:
        return value
    first, *rest = where
    if isinstance(body, list):
        return [put(each, rest, value, ids) if number == first else each for number, each in enumerate(body)]
    filled = {
        name: each.format(**ids) if isinstance(each, str) else put(each, [], each, ids) for name, each in body.items()
    }
    return {**filled, first: put(body.get(first, {}), rest, value, ids)}


def send(project, method, path, body):
    """Send a body to a path of a project, or to the list of projects."""
    below = f"projects/{project.id}{path.format(**project.ids)}".rstrip("/") if path else "projects"
    return plane.send_json(project.http, method, below, body)


def refused(answer):
    """Tell whether an answer is Neon's error about the request."""
    error = answer.json()
    return (
        400 <= answer.status_code < 500
        and error.keys() == {"request_id", "code", "message"}
        and error["message"].strip()
        and HUGE[:100] not in error["message"]
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "where", "values"),
    FIELDS,
    ids=[f"{method} {path or '/projects'} {'.'.join(map(str, where))}" for method, path, _, where, _ in FIELDS],
)
def test_a_wrong_value_is_refused_and_changes_nothing(world, method, path, body, where, values):
    before = look(world)
    for value in values:
        answer = send(world, method, path, put(body, where, value, world.ids))
        assert refused(answer), f"{str(value)[:50]!r}: {answer.status_code} {answer.text[:300]}"
    assert look(world) == before


@pytest.mark.parametrize("content", WHOLE, ids=[str(content[:10]) for content in WHOLE])
def test_a_body_that_is_no_object_is_refused(world, content):
    before = look(world)
    for method, path in sorted({(method, path) for method, path, *_ in FIELDS}):
        below = f"projects/{world.id}{path.format(**world.ids)}".rstrip("/") if path else "projects"
        answer = world.http.request(method, below, content=content)
        assert refused(answer), f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    assert look(world) == before


@pytest.mark.parametrize("name", ["limit", "cursor", "search", "sort_by", "sort_order", "recoverable", "org_id"])
@pytest.mark.parametrize("value", ["\0", "x" * 300, "-1", "NaN", "é🐘", "1" * 5000])
def test_a_query_of_any_kind_is_answered(world, name, value):
    for path in ("projects", f"projects/{world.id}/branches", f"projects/{world.id}/operations"):
        answer = world.http.get(path, params={name: value})
        assert answer.status_code == 200 or refused(answer), f"{path}: {answer.status_code} {answer.text[:300]}"


@pytest.mark.parametrize("part", ["%00", "%FF", "%ED%A0%80", "..%2F..", "'%22;--", "%F0%9F%90%98", "x" * 3000])
def test_an_id_of_any_kind_is_not_found(world, part):
    for path in (
        f"projects/{part}",
        f"projects/{world.id}/branches/{part}",
        f"projects/{world.id}/operations/{part}",
        f"projects/{world.id}/endpoints/{part}",
        f"projects/{world.id}/branches/{world.ids['branch_id']}/databases/{part}",
        f"projects/{world.id}/branches/{world.ids['branch_id']}/roles/{part}/reveal_password",
    ):
        answer = world.http.get(path)
        assert answer.status_code == 404 or (answer.status_code == 501 and "%2F" in part), f"{path} {answer.text}"
