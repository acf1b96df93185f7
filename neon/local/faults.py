"""Faults on request: one header makes the plane misbehave, for whoever tests code that calls Neon.

``X-Neon-Local-Fault: FAULT[; CONDITION]...`` is heeded when the setting ``NEON_LOCAL_FAULTS`` is on, and by requests
whose key is right. One value may stand on every request of a client, as the conditions choose among them.

FAULT is one of

- ``423``, ``429``, ``500``, ``503``: that answer, as Neon's JSON; ``502``, ``504``, ``524``: as HTML, like a proxy's;
- ``drop``: the connection is closed without an answer;
- ``slow``: the answer comes ``seconds`` late;
- ``operations=OUTCOME``: the operations of the call end as ``finished``, ``failed``, ``error`` or ``cancelled`` after
  ``seconds``, or are ``retried``: the first one shows as failed with a time to retry until then, and they finish. A
  call that begins no operations passes. What ends otherwise than finished has no effect.

CONDITION is one of

- ``when=before`` (the default: nothing is done) or ``when=after``: the call has its effect first; not for operations;
- ``on=METHOD PATH``: only calls of that method, or of any when it is ``*``, whose path below ``/api/v2`` is PATH, in
  which ``*`` stands for one part and ``**`` for any number of them;
- ``skip=N``, ``times=N``: the first N of those calls pass, the N after that meet the fault (else all);
- ``seconds=N``: for ``slow`` and ``operations``;
- ``retry-after=N``: the header ``Retry-After`` of an answer;
- ``id=TEXT``: nothing but another value. Calls are counted in the process for each value by itself, so a new id starts
  from nought.

An answer that a fault has touched bears the header, too. A value that is not understood is answered with 400.
"""

import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from neon.local.errors import BadRequest, Locked

HEADER = "X-Neon-Local-Fault"
ROOT = "/api/v2"

ANSWERS = {
    "423": Locked().message,
    "429": "too many requests",
    "500": "internal error",
    "502": "bad gateway",
    "503": "service unavailable",
    "504": "gateway time-out",
    "524": "a time-out occurred",
}
FROM_PROXIES = frozenset({"502", "504", "524"})
OUTCOMES = frozenset({"finished", "failed", "error", "cancelled", "retried"})
ALWAYS_ALLOWED = frozenset({"on", "skip", "times", "id"})
NUMBER = re.compile(r"\d{1,6}")
SECONDS = re.compile(r"\d{1,3}(\.\d{1,6})?")
# A second of being failed is long enough to be seen by who looks at operations at all.
RETRIED_SECONDS = 1.0
# Values that are counted at once; the one that was not seen for longest is forgotten.
COUNTED = 10_000

_seen: OrderedDict[str, int] = OrderedDict()
_seen_lock = threading.Lock()

Status = Literal["finished", "failed", "error", "cancelled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the operations of one call come to, and in how many seconds if not in the usual time."""

    status: Status = "finished"
    seconds: float | None = None
    retried: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One value of the header, understood."""

    header: str
    kind: str  # a status, "drop", "slow" or "operations"
    outcome: Outcome = Outcome()
    after: bool = False
    method: str = "*"
    path: re.Pattern[str] | None = None
    skip: int = 0
    times: int | None = None
    seconds: float = 0.0
    retry_after: str = ""

    def concerns(self, request: HttpRequest) -> bool:
        """Tell whether the fault is meant for such a call."""
        path = request.path_info.removeprefix(ROOT)
        return self.method in {"*", request.method} and (self.path is None or self.path.fullmatch(path) is not None)

    def strikes(self) -> bool:
        """Count one more call that the fault is meant for, and tell whether it meets it."""
        with _seen_lock:
            before = _seen.pop(self.header, 0)
            _seen[self.header] = before + 1
            while len(_seen) > COUNTED:
                _seen.popitem(last=False)
        return self.skip <= before and (self.times is None or before < self.skip + self.times)

    def answer(self) -> HttpResponse:
        """Return the answer that stands in for the call's own; raises ConnectionAbortedError to drop it."""
        if self.kind == "drop":
            raise ConnectionAbortedError("dropped on request")
        request_id, message = str(uuid.uuid4()), ANSWERS[self.kind]
        response: HttpResponse
        if self.kind in FROM_PROXIES:
            response = HttpResponse(f"<html><body><h1>{self.kind} {message}</h1></body></html>", status=int(self.kind))
        else:
            body = {"request_id": request_id, "code": "", "message": message}
            response = JsonResponse(body, status=int(self.kind))
            response["x-neon-ret-request-id"] = request_id
        if self.retry_after:
            response["Retry-After"] = self.retry_after
        return response


@dataclass(slots=True)
class _Asked:
    """The fault that the operations of the call at hand are to meet, and whether they did."""

    fault: Fault
    met: bool = False


_asked: ContextVar[_Asked | None] = ContextVar("asked", default=None)


def around(request: HttpRequest, serve: Callable[[], HttpResponse]) -> HttpResponse:
    """Answer a request by *serve*, with the fault that its header asks for.

    Raises BadRequest for a value that is not understood, and ConnectionAbortedError when the connection is to be
    closed without an answer.
    """
    header = request.headers.get(HEADER) if settings.NEON_LOCAL_FAULTS else None
    if header is None or not (fault := read(header)).concerns(request):
        return serve()
    if fault.kind == "operations":
        asked = _Asked(fault)
        token = _asked.set(asked)
        try:
            response = serve()
        finally:
            _asked.reset(token)
        touched = asked.met
    else:
        touched = fault.strikes()
        response = _struck(fault, serve) if touched else serve()
    if touched:
        response[HEADER] = header
    return response


def outcome() -> Outcome:
    """Return what the operations that are about to begin come to: they finish, unless the call asks for a fault."""
    asked = _asked.get()
    if asked is None or not asked.fault.strikes():
        return Outcome()
    asked.met = True
    return asked.fault.outcome


def _struck(fault: Fault, serve: Callable[[], HttpResponse]) -> HttpResponse:
    """Serve before or after the fault, or not at all."""
    if fault.kind == "slow":
        if not fault.after:
            time.sleep(fault.seconds)
        response = serve()
        if fault.after:
            time.sleep(fault.seconds)
        return response
    if fault.after:
        serve()
    return fault.answer()


def read(header: str) -> Fault:
    """Understand a value of the header; raises BadRequest."""
    first, *others = (part.strip() for part in header.split(";"))
    kind, _, wanted = first.partition("=")
    if not (first in {*ANSWERS, "drop", "slow"} or (kind == "operations" and wanted in OUTCOMES)):
        known = ", ".join([*ANSWERS, "drop", "slow", *(f"operations={name}" for name in sorted(OUTCOMES))])
        raise _malformed(f"{first!r} is no fault; there are {known}")
    given = _conditions(others)
    if unfit := given.keys() - ALWAYS_ALLOWED - _allowed(kind):
        raise _malformed(f"{first} takes no {', '.join(sorted(unfit))}")
    if kind == "slow" and "seconds" not in given:
        raise _malformed("slow needs seconds=N")
    method, path = _on(given.get("on", "* /**"))
    seconds = float(given["seconds"]) if "seconds" in given else None
    return Fault(
        header=header,
        kind=kind,
        outcome=_outcome(wanted, seconds) if wanted else Outcome(),
        after=given.get("when") == "after",
        method=method,
        path=path,
        skip=int(given.get("skip", 0)),
        times=int(given["times"]) if "times" in given else None,
        seconds=seconds or 0.0,
        retry_after=given.get("retry-after", ""),
    )


def _outcome(wanted: str, seconds: float | None) -> Outcome:
    if wanted == "retried":
        return Outcome("finished", RETRIED_SECONDS if seconds is None else seconds, retried=True)
    return Outcome(cast(Status, wanted), seconds)


def _allowed(kind: str) -> set[str]:
    """Return the conditions that make sense for that fault alone."""
    match kind:
        case "operations":
            return {"seconds"}
        case "slow":
            return {"seconds", "when"}
        case "drop":
            return {"when"}
        case _:
            return {"when", "retry-after"}


def _conditions(parts: list[str]) -> dict[str, str]:
    forms = {
        "when": re.compile("before|after"),
        "on": re.compile(r"(\*|[A-Z]+) +/\S*"),
        "skip": NUMBER,
        "times": NUMBER,
        "seconds": SECONDS,
        "retry-after": NUMBER,
        "id": re.compile(r"[\w.:-]{1,100}"),
    }
    given: dict[str, str] = {}
    for part in parts:
        name, _, value = (text.strip() for text in part.partition("="))
        if name not in forms:
            raise _malformed(f"{part!r} is no condition; there are {', '.join(forms)}")
        if name in given:
            raise _malformed(f"{name} is given twice")
        if not forms[name].fullmatch(value):
            raise _malformed(f"{part!r} is not understood")
        given[name] = value
    return given


def _on(value: str) -> tuple[str, re.Pattern[str]]:
    """Return the method, and a pattern of the path."""
    method, path = value.split()
    parts = re.split(r"(\*\*?)", path.removeprefix(ROOT))
    wild = {"*": "[^/]*", "**": ".*"}
    return method, re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)


def _malformed(reason: str) -> BadRequest:
    return BadRequest(f"{HEADER}: {reason}")
