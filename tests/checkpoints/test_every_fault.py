"""Every fault at every call of the flows: a success, or a failure that leaves everything as it was.

The faults are the plane's own, asked for by its header, but for the time-out. Time is what the client sleeps, for the
plane as well, so that operations take a look or more and nobody waits. Of the table every eighth row is looked
at, those at the main calls with the marker thorough, the others with kill; all of them with FAULTS=all.
"""

import itertools
import os
from contextlib import suppress
from types import SimpleNamespace

import httpx
import pytest
from psycopg import sql

from checkpoints import aftermath, services
from checkpoints.models import Project, Run
from contacts import schema
from neon import service as neon
from neon import waiting
from neon.client import Client
from neon.errors import NeonError
from neon.local import store
from neon.local.transport import LocalTransport
from tests.checkpoints import flows

HEADER = "X-Neon-Local-Fault"
# Not the plane's: in one process no time-out applies, so the wire makes one of an answer that is dropped.
TIME_OUT = "time-out"
PEOPLE = {"Ada Lovelace", "Alan Turing", "Grace Hopper"}
# Gone by the time that operations are looked at for the first time, as the plane's time runs faster.
OPERATION_SECONDS = 4.0
PLANE_SPEED = 100
DUE = [
    ("operations", "finish_at"),
    ("operations", "retry_at"),
    ("branches", "finalize_at"),
    ("branches", "fail_at"),
    ("snapshots", "fail_at"),
]
NOT_KNOWN = "It is not known whether the database was restored; trying again makes sure."

OPERATIONS, BRANCHES, SNAPSHOT = (
    "GET /projects/*/operations",
    "GET /projects/*/branches",
    "POST /projects/*/branches/*/snapshot",
)
# What each flow asks for when all goes well, with the clean-up after it.
CALLS = {
    "start": ["POST /projects", OPERATIONS, SNAPSHOT, OPERATIONS, "DELETE /projects/*"],
    "advance": [BRANCHES, SNAPSHOT, OPERATIONS],
    "restore": [
        BRANCHES,
        "POST /projects/*/snapshots/*/restore",
        OPERATIONS,
        SNAPSHOT,
        OPERATIONS,
        "DELETE /projects/*/branches/*",
    ],
}
MAIN = {"start": "POST /projects", "advance": SNAPSHOT, "restore": "POST /projects/*/snapshots/*/restore"}
BEGINS_OPERATIONS = {*MAIN.values(), "DELETE /projects/*/branches/*"}

ANSWERS = [
    *("423", "429", "429; retry-after=2", "429; retry-after=60", "500", "502", "503", "504", "524", "drop"),
    *("500; when=after", "524; when=after", "drop; when=after", TIME_OUT, f"{TIME_OUT}; when=after"),
]
FAILURES = [f"operations={outcome}" for outcome in ("failed", "error", "cancelled")]
OUTCOMES = [
    *(f"{failure}; seconds=0" for failure in FAILURES),
    *(f"operations={outcome}; seconds=60" for outcome in ("retried", "finished")),
]
# Nobody waits for a deletion: one that fails only later is seen by whoever looks for orphans.
LATE = [*FAILURES, *(f"{failure}; seconds=60" for failure in FAILURES)]
# Longer than anybody waits for the operations of a flow, who in this case waits for three seconds.
ENDLESS = "operations=finished; seconds=900"
PATIENCE = 3.0
# By default these at the main call of each flow.
TELLING = {"500; lasts", "drop; when=after", "operations=failed", "operations=retried; seconds=60"}


def table():
    """Return flow, call and fault of each row, as parameters; what is not telling is marked."""
    everyday = itertools.cycle([True] if os.environ.get("FAULTS") == "all" else [True, *[False] * 7])
    for flow, calls in CALLS.items():
        for place, call in enumerate(calls):
            faults = ANSWERS + [f"{fault}; lasts" for fault in ANSWERS]
            if call in BEGINS_OPERATIONS:
                faults = [*faults, *OUTCOMES, ENDLESS]
            if call in MAIN.values():
                faults = [*faults, *LATE]
            for fault in faults:
                telling = call == MAIN[flow] and fault in TELLING
                if not next(everyday) and not telling:
                    continue
                yield pytest.param(
                    *(flow, call, calls[:place].count(call), fault),
                    id=f"{flow} {place + 1} {call.split('/')[0]}{call.rsplit('/', 1)[-1]}: {fault}",
                    marks=pytest.mark.thorough if telling else pytest.mark.kill,
                )


class Time:
    """Time that only sleeping moves, of the client and of the plane."""

    def __init__(self):
        self.now = 0.0

    def clock(self):
        """Return the client's time."""
        return self.now

    def sleep(self, seconds):
        """Let it pass, and let what is due in the plane come nearer."""
        self.now += seconds
        with store.connection() as plane:
            for table, column in DUE:
                statement = sql.SQL("UPDATE {} SET {} = {} - make_interval(secs => %s) WHERE {} > clock_timestamp()")
                name = sql.Identifier(column)
                plane.execute(statement.format(sql.Identifier(table), name, name, name), [seconds * PLANE_SPEED])


class Faulty(httpx.BaseTransport):
    """The way to the plane: each request asks for the same fault, and is noted."""

    def __init__(self):
        self._plane = LocalTransport()
        self.fault, self.met = "", 0
        self.calls = []

    def handle_request(self, request):
        """Answer one request."""
        self.calls.append(f"{request.method} {request.url.path.removeprefix('/api/v2')}")
        if self.fault:
            request.headers[HEADER] = self.fault.replace(TIME_OUT, "drop")
        try:
            answer = self._plane.handle_request(request)
        except httpx.RemoteProtocolError as dropped:
            self.met += 1
            if self.fault.startswith(TIME_OUT):
                raise httpx.ReadTimeout("no answer in time", request=request) from dropped
            raise
        self.met += HEADER in answer.headers
        return answer


@pytest.fixture
def wire(started, settings, monkeypatch):
    """The way to a Neon whose operations take their time."""
    time, wire = Time(), Faulty()
    client = Client(settings.NEON_LOCAL_API_KEY, transport=wire, clock=time.clock, sleep=time.sleep, random=lambda: 1.0)
    way = neon.Neon(client, clock=time.clock, sleep=time.sleep, random=lambda: 1.0)
    monkeypatch.setattr(neon, "connect", lambda: way)
    settings.NEON_LOCAL_FAULTS = True
    settings.NEON_LOCAL_OPERATION_SECONDS = OPERATION_SECONDS
    yield wire
    time.sleep(1000)  # what is still due must not keep the project from being deleted


@pytest.fixture
def world(started, wire):
    """Two checkpoints, and an edit since the second, where the database is."""
    owner = started
    first = Project.objects.current(owner).head
    second = flows.advance(first).result
    flows.execute(second.project.database_url, "DELETE FROM contacts WHERE name = 'Alan Turing'")
    wire.calls.clear()
    return SimpleNamespace(owner=owner, first=first, second=second)


ACTIONS = {
    "start": lambda world: flows.start(world.owner),
    "advance": lambda world: flows.advance(world.second),
    "restore": lambda world: flows.restore(world.first),
}
VERSION_AFTER = {"start": "v1", "advance": "v3", "restore": "v1"}
PEOPLE_AFTER = {"start": PEOPLE, "advance": PEOPLE - {"Alan Turing"}, "restore": PEOPLE}


def state(owner):
    """Return all that a user has: data row by row, schema, head, checkpoints."""
    project = Project.objects.get(owner=owner)
    return (
        flows.people(project),
        schema.columns(project.database_url),
        project.neon_project_id,
        project.head,
        list(project.checkpoints.values()),
    )


def is_done(world, flow, run):
    """Tell whether the flow has led to what it is for."""
    project = Project.objects.get(owner=world.owner)
    assert run.error == ""
    assert project.head == run.result
    assert run.result.version == VERSION_AFTER[flow]
    assert flows.people(project).keys() == PEOPLE_AFTER[flow]
    return not services.differs(project, project.head)


def is_tidy(owner):
    """Tell whether there is in Neon what the user's rows name, and nothing else of theirs."""
    project = Project.objects.get(owner=owner)
    assert flows.neon_projects(owner) == {project.neon_project_id}
    assert flows.snapshots(project) == set(project.checkpoints.values_list("snapshot_id", flat=True))
    assert flows.branches(project) == {"main"}
    return not Run.objects.unfinished().filter(owner=owner).exists()


def clean_up():
    """Clean up behind all runs, as the worker does."""
    for run in Run.objects.with_leftovers():
        aftermath.clean_up(run)


def pattern(call):
    """Return a noted call with stars for ids."""
    method, path = call.split()
    parts = path.split("/")
    return f"{method} {'/'.join('*' if place % 2 == 0 and part else part for place, part in enumerate(parts))}"


@pytest.mark.parametrize("flow", CALLS)
def test_a_flow_makes_these_calls(world, wire, flow):
    assert is_done(world, flow, ACTIONS[flow](world))
    clean_up()
    assert [pattern(call) for call in wire.calls] == CALLS[flow]


@pytest.mark.parametrize(("flow", "call", "before", "fault"), [*table()])
def test_a_fault_ends_well_or_changes_nothing(world, wire, flow, call, before, fault, monkeypatch):
    was = state(world.owner)
    lasts = fault.endswith("; lasts")
    times = "" if lasts else "; times=1"
    wire.fault = f"{fault.removesuffix('; lasts')}; on={call}; skip={before}{times}; id={next(NUMBERS)}"
    with monkeypatch.context() as patch:
        if fault == ENDLESS:
            patch.setattr(waiting, "FLOW_DEADLINE", PATIENCE)
        run = ACTIONS[flow](world)
        with suppress(NeonError):
            clean_up()
    assert wire.met == 1 or (lasts and wire.met), wire.calls
    wire.fault = ""
    clean_up()
    if run.status == "succeeded":
        assert is_done(world, flow, run)
        assert is_tidy(world.owner)
        return
    assert run.error
    if not run.error.endswith(NOT_KNOWN):
        assert state(world.owner) == was
        assert is_tidy(world.owner)
    else:
        assert lasts or fault == ENDLESS
    again = ACTIONS[flow](world)
    assert again.status == "succeeded", again.detail
    clean_up()
    assert is_done(world, flow, again)
    assert is_tidy(world.owner)


NUMBERS = itertools.count()
