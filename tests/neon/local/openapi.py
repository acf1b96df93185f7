"""Neon's description of its API, and what in an answer departs from it."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from django.conf import settings
from jsonschema import Draft202012Validator, FormatChecker

PATH = settings.BASE_DIR.parent / "shared" / "neon" / "openapi.json"
NEEDED = pytest.mark.skipif(not PATH.exists(), reason="Neon's openapi.json is not beside the repository")
PREFIX = "/api/v2"
# Served, because the official CLI calls it, although the description leaves it out.
SAME_AS = {"/projects/shared": "/projects"}
# What a server may answer to something that the description does not have.
UNKNOWN = {404, 405, 501}
NOT_SERVED = 501
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


def faults(method: str, path: str, status: int, headers: Mapping[str, str], content: bytes) -> list[str]:
    """Return all that is wrong with the answer to a request for *path*; nothing if Neon could have given it."""
    name = template(path)
    described = operation(method, name) if name else None
    if described is None:
        allowed = UNKNOWN
    else:
        allowed = {status for status in described["responses"] if status.isdigit()}
        allowed = {*map(int, allowed), NOT_SERVED, *(range(400, 500) if "4XX" in described["responses"] else ())}
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
