"""Requests to Neon's API made from its description: mostly what a client could send, now and then what none would."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.neon.local import openapi

# Whose ids and names the fields of queries and bodies mean.
MEANT = {
    "parent_id": "branch_id",
    "source_branch_id": "branch_id",
    "target_branch_id": "branch_id",
    "base_branch_id": "branch_id",
    "branch_id": "branch_id",
    "endpoint_id": "endpoint_id",
    "db_name": "database_name",
    "database_name": "database_name",
    "owner_name": "role_name",
    "role_name": "role_name",
    "org_id": "org_id",
    "name": "taken_name",
    "preserve_under_name": "taken_name",
}
NASTY = [
    "",
    " ",
    "'",
    '"; DROP TABLE branches --',
    "\0",
    "%s",
    "é\u202e🐘",
    "x" * 64,
    "x" * 300,
    "null",
    "..",
    "postgres",
]
KINDS = sorted(set(MEANT.values()) | {"project_id", "snapshot_id", "operation_id"})
TEXT = st.text(max_size=12) | st.sampled_from(NASTY)
# Whatever JSON can write, half characters and numbers beyond all bounds too.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
BODY = st.binary(max_size=20) | JSON.map(lambda value: json.dumps(value).encode()) | st.just(b"[" * 10_000)

# What there is, by the name of its parameter; something of each kind.
Known = dict[str, list[str]]


@dataclass
class Request:
    """What is sent."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None


def rarely() -> st.SearchStrategy[bool]:
    """Return a choice that is yes once in a while."""
    return st.integers(0, 11).map(lambda number: number == 7)


@st.composite
def requests(draw: st.DrawFn, method: str, path: str, known: Known) -> Request:
    """Draw a request to an operation of the description."""
    described = openapi.operation(method, path) or {}
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    # A dot is written out, or the client would take ".." for a step up.
    ids = {name: quote(draw(meant(name, known)), safe="").replace(".", "%2E") for name in names}
    query = {}
    for parameter in map(openapi.resolve, described.get("parameters", [])):
        wanted = parameter.get("required", False) or draw(st.booleans())
        if parameter["in"] == "query" and wanted is not draw(rarely()):
            query[parameter["name"]] = as_text(draw(values(parameter["schema"], parameter["name"], known)))
    content = None
    if "requestBody" in described:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        optional = not described["requestBody"].get("required", False)
        if draw(rarely()):
            content = draw(BODY)
        elif not (optional and draw(rarely())):
            content = json.dumps(draw(values(schema, "", known))).encode()
    return Request(method, path.format(**ids), query, content)


def as_text(value: Any) -> str:
    """Return a value as it stands in a query."""
    written = value if isinstance(value, str) else json.dumps(value)
    return written.encode(errors="replace").decode()


@st.composite
def meant(draw: st.DrawFn, name: str, known: Known) -> str:
    """Draw an id or a name, mostly of something that is there.

    What is drawn does not depend on what there is: hypothesis has to be able to draw the same again.
    """
    number, rare, kind = draw(st.integers(0, 99)), draw(rarely()), draw(st.sampled_from(KINDS))
    if rare:
        return draw(TEXT | st.just("no-such-12345678"))
    there = known[kind if draw(rarely()) else name]
    return there[number % len(there)]


@st.composite
def values(draw: st.DrawFn, schema: dict[str, Any], name: str, known: Known) -> Any:
    """Draw a value for a schema, rarely one that it forbids."""
    if draw(rarely()):
        return draw(JSON)
    schema = openapi.resolve(schema)
    if "anyOf" in schema or "allOf" in schema:
        return draw(values(draw(st.sampled_from(schema.get("anyOf") or schema["allOf"])), name, known))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema.get("type", "object")
    if kind == "object":
        return draw(objects(schema, known))
    if kind == "array":
        return draw(st.lists(values(schema["items"], name, known), max_size=2))
    # Of the new names most are new.
    return draw(scalars(kind, schema, name, known, fresh=draw(st.integers(0, 2)) > 0))


@st.composite
def objects(draw: st.DrawFn, schema: dict[str, Any], known: Known) -> dict[str, Any]:
    """Draw an object with what it must have, some of what it may have, rarely something else."""
    made = {}
    for name, property_schema in schema.get("properties", {}).items():
        wanted = name in schema.get("required", ()) or draw(st.booleans())
        if wanted is not draw(rarely()):
            made[name] = draw(values(property_schema, name, known))
    return made | (draw(st.dictionaries(TEXT, JSON, max_size=1)) if draw(rarely()) else {})


def scalars(
    kind: str, schema: dict[str, Any], name: str, known: Known, *, fresh: bool = False
) -> st.SearchStrategy[Any]:
    """Return a text, a number or a truth value that the schema allows."""
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(schema.get("minimum", -3), schema.get("maximum", 10_000))
    if kind == "number":
        return st.floats(schema.get("minimum", 0.25), schema.get("maximum", 16), allow_nan=False)
    if name in MEANT and (MEANT[name] != "taken_name" or not fresh):
        return meant(MEANT[name], known)
    if schema.get("format") == "date-time":
        return st.datetimes().map(lambda when: f"{when.isoformat()}Z")
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 1000)
    return TEXT.filter(lambda text: shortest <= len(text) <= longest)
