"""Neon's description of its API, and what in an answer departs from it."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from django.conf import settings
from django.urls import resolve as find_view
from jsonschema import Draft202012Validator, FormatChecker

from neon.local.transport import URLCONF

PATH = settings.BASE_DIR.parent / "shared" / "neon" / "openapi.json"
NEEDED = pytest.mark.skipif(not PATH.exists(), reason="Neon's openapi.json is not beside the repository")
PREFIX = "/api/v2"
# Served, because the official CLI calls it, although the description leaves it out.
SAME_AS = {"/projects/shared": "/projects"}
# What a server may answer to something that the description does not have.
UNKNOWN = {404, 405, 501}
NOT_SERVED = 501
# What the plane may answer 501 to where it serves: a request that has one of these fields, at any depth of its body, or
# in its query. They need a history, a cloud, or a second one of what one machine has once.
BRANCH = "/projects/{project_id}/branches/{branch_id}"
HISTORY = {"lsn", "timestamp"}
PROJECT_FIELDS = {
    *("settings", "history_retention_seconds"),
    *("pg_settings", "pgbouncer_settings", "suspend_timeout_seconds"),
}
ENDPOINT_FIELDS = {
    *("settings", "pooler_enabled", "disabled", "passwordless_access", "suspend_timeout_seconds"),
    "type=read_only",
}
REFUSED = {
    "POST /projects": {*PROJECT_FIELDS, "annotations", "pg_version", "store_passwords=false"},
    "PATCH /projects/{project_id}": PROJECT_FIELDS,
    "GET /projects/{project_id}/branches": {"include_deleted"},
    "POST /projects/{project_id}/branches": {
        *("parent_lsn", "parent_timestamp", "archived", "init_source=schema-only", "annotation_value"),
        *("endpoints[1]", *ENDPOINT_FIELDS),
    },
    "POST /projects/{project_id}/endpoints": ENDPOINT_FIELDS,
    f"POST {BRANCH}/restore": {"source_lsn", "source_timestamp"},
    f"POST {BRANCH}/snapshot": HISTORY,
    f"GET {BRANCH}/schema": {*HISTORY, "format=json"},
    f"GET {BRANCH}/compare_schema": {*HISTORY, "base_lsn", "base_timestamp"},
}
WITHOUT_BODY = {204}
formats = FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or (
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value) is not None
        and datetime.fromisoformat(value).tzinfo is not None
    )


@formats.checks("uuid")
def _is_uuid(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


@formats.checks("email")
def _is_email(value: object) -> bool:
    return not isinstance(value, str) or re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None


@formats.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@formats.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@cache
def description() -> dict[str, Any]:
    """Return the description, with its nullable schemas put as JSON Schema puts them."""
    loaded: dict[str, Any] = _nullable(json.loads(PATH.read_text()))
    return loaded


def _nullable(node: Any) -> Any:
    if isinstance(node, list):
        return [_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _nullable(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference, or a reference to one, refers to."""
    while "$ref" in node:
        target: Any = description()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Return the paths as patterns, those with the fewest parameters first: a word is no id."""
    paths = sorted([*description()["paths"], *SAME_AS], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in paths]


def template(path: str) -> str | None:
    """Return the description's name for the path of a request, which may have a query, if it has one."""
    bare = path.partition("?")[0].removeprefix(PREFIX)
    return next((name for pattern, name in _templates() if pattern.fullmatch(bare)), None)


def operation(method: str, path: str) -> dict[str, Any] | None:
    """Return how the description has an operation, named by its template, if it has it."""
    known: dict[str, Any] = description()["paths"].get(SAME_AS.get(path, path), {})
    return known.get(method.lower())


def is_served(method: str, path: str) -> bool:
    """Tell whether the plane has a view for such a request."""
    return method in find_view(unquote(path.partition("?")[0]), urlconf=URLCONF).func.methods  # type: ignore[attr-defined]


def may_be_refused(method: str, path: str, sent: bytes) -> bool:
    """Tell whether a request is one that the plane cannot do, as the documentation says, and answers with 501."""
    if not is_served(method, path):
        return True
    try:
        body = json.loads(sent or b"null")
    except (ValueError, RecursionError):
        body = None
    name = f"{method} {template(path)}"
    refused = REFUSED.get(name, set())
    if name == f"POST {BRANCH}/restore":  # from another branch only
        refused = refused | {f"source_branch_id={unquote(path.split('/')[-2])}"}
    query = dict(parse_qsl(urlsplit(path).query))
    return not refused.isdisjoint([*_fields(query), *_fields(body)])


def _fields(value: Any) -> Iterator[str]:
    """Yield the fields at every depth: "name", of those with a word for a value "name=value", of lists "name[0]"."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if isinstance(inner, str | bool):
                yield f"{name}={inner}" if isinstance(inner, str) else f"{name}={json.dumps(inner)}"
            for place, _ in enumerate(inner if isinstance(inner, list) else ()):
                yield f"{name}[{place}]"
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _fields(inner)


def faults(
    method: str, path: str, status: int, headers: Mapping[str, str], content: bytes, *, sent: bytes = b""
) -> list[str]:
    """Return all that is wrong with the answer to a request for *path* with a body; nothing if Neon could give it."""
    name = template(path)
    described = operation(method, name) if name else None
    if described is None:
        allowed = UNKNOWN
    else:
        allowed = {status for status in described["responses"] if status.isdigit()}
        allowed = {*map(int, allowed), *(range(400, 500) if "4XX" in described["responses"] else ())}
        if status == NOT_SERVED and may_be_refused(method, path, sent):
            allowed.add(NOT_SERVED)
    where = f"{method} {path} {status}: "
    if status not in allowed:
        return [f"{where}no such status here: {content[:500]!r}"]
    if status in WITHOUT_BODY:
        return [f"{where}has a body: {content[:100]!r}"] if content else []
    if headers.get("content-type", "").partition(";")[0] != "application/json":
        return [f"{where}is {headers.get('content-type')}, not JSON"]
    try:
        body = json.loads(content)
    except ValueError:
        return [f"{where}is not JSON: {content[:100]!r}"]
    if status >= 400:
        return [where + fault for fault in _faults_of_error(body)]
    assert described is not None
    return [where + fault for fault in _faults_of(body, f"{method.lower()} {SAME_AS.get(name, name)} {status}")]


def _faults_of_error(body: Any) -> list[str]:
    """Return what is wrong with the body of a refusal: Neon's is flat, with a message for people."""
    found = faults_of_schema("GeneralError", body)
    if not found and (set(body) - {"request_id", "code", "message"} or not body["message"].strip()):
        found = [f"is not Neon's error: {body}"]
    return found


def faults_of_schema(schema: str, value: Any) -> list[str]:
    """Return where a value departs from one of the description's named schemas."""
    return _faults_of(value, schema)


def _faults_of(value: Any, name: str) -> list[str]:
    return [f"{error.json_path} {error.message[:300]}" for error in _validator(name).iter_errors(value)]


@cache
def _validator(name: str) -> Draft202012Validator:
    """Return the validator of a named schema, or of the body of "method path status"."""
    if " " in name:
        method, path, status = name.split(" ")
        answer = resolve(description()["paths"][path][method]["responses"][status])
        schema = answer["content"]["application/json"]["schema"]
    else:
        schema = description()["components"]["schemas"][name]
    return Draft202012Validator({**schema, "components": description()["components"]}, format_checker=formats)
