"""Faults on request: what the header asks for happens, to the calls that it means, and to no others."""

import time

import httpx
import pytest

from neon.local import faults, server
from neon.local.engine import projects
from tests.neon.local import plane
from tests.neon.local.asking import HEADER, asking, snapshots

pytestmark = pytest.mark.usefixtures("faults_on")


@pytest.fixture
def called(monkeypatch):
    """The calls that reached the engine's list of projects."""
    calls = []
    page = projects.page
    monkeypatch.setattr(projects, "page", lambda **more: calls.append(more) or page(**more))
    return calls


# Answers


@pytest.mark.parametrize("status", [423, 429, 500, 503])
def test_a_status_is_answered_as_neon_does_and_nothing_is_done(http, called, status):
    answer = http.get("projects", **asking(str(status)))
    assert answer.status_code == status
    body = answer.json()
    assert body.keys() == {"request_id", "code", "message"}
    assert body["request_id"] == answer.headers["x-neon-ret-request-id"]
    assert "Retry-After" not in answer.headers
    assert called == []


@pytest.mark.parametrize("status", [502, 504, 524])
def test_what_proxies_answer_is_html(http, called, status):
    answer = http.get("projects", **asking(str(status)))
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html>")
    assert called == []


def test_an_answer_may_say_when_to_try_again(http):
    assert http.get("projects", **asking("429; retry-after=7")).headers["Retry-After"] == "7"


def test_after_the_effect_it_has_had_its_effect(project):
    path = f"/branches/{project.default['id']}/snapshot"
    for fault, name in (("500; when=after", "a"), ("524; when=after", "b"), ("500", "c"), ("500; when=before", "d")):
        assert project.call("POST", path, params={"name": name}, **asking(fault)).is_server_error
    assert snapshots(project) == {"a", "b"}


def test_a_connection_is_dropped_before_or_after_the_effect(project):
    path = f"/branches/{project.default['id']}/snapshot"
    for fault, name in (("drop", "before"), ("drop; when=after", "after")):
        with pytest.raises(httpx.RemoteProtocolError):
            project.call("POST", path, params={"name": name}, **asking(fault))
    assert snapshots(project) == {"after"}


def test_over_http_it_is_dropped_too(project, settings):
    path = f"projects/{project.id}/branches/{project.default['id']}/snapshot"
    key = {"Authorization": f"Bearer {settings.NEON_LOCAL_API_KEY}"}
    with server.serving("127.0.0.1", 0) as served, httpx.Client(base_url=served.url, headers=key) as http:
        for fault, name in (("drop", "before"), ("drop; when=after", "after")):
            with pytest.raises(httpx.RemoteProtocolError):
                http.post(path, params={"name": name}, **asking(fault))
        assert http.get("projects", **asking("524")).status_code == 524
    assert snapshots(project) == {"after"}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_slow_answer_comes_late_and_is_right(http, when):
    begun = time.monotonic()
    answer = http.get("projects", **asking(f"slow; seconds=0.2; when={when}"))
    assert time.monotonic() - begun >= 0.2
    assert answer.status_code == 200
    assert "projects" in answer.json()


def test_what_a_fault_has_touched_says_so(http):
    for fault in ("500", "524", "slow; seconds=0"):
        assert http.get("projects", **asking(fault)).headers[HEADER] == fault
    for fault in ("500; times=0", "500; on=GET /nowhere", "operations=failed"):
        answer = http.get("projects", **asking(fault))
        assert answer.status_code == 200
        assert HEADER not in answer.headers


# Which calls


@pytest.mark.parametrize(
    ("on", "meant"),
    [
        ("GET /projects", True),
        ("* /projects", True),
        ("GET /api/v2/projects", True),
        ("GET /**", True),
        ("GET /*", True),
        ("GET /proj*", True),
        ("POST /projects", False),
        ("GET /project", False),
        ("GET /projects/*", False),
        ("GET /project.", False),
    ],
)
def test_it_is_meant_for_calls_of_that_method_and_path(http, on, meant):
    assert (http.get("projects", **asking(f"500; on={on}")).status_code == 500) == meant


@pytest.mark.parametrize(
    ("path", "meant"),
    [("/projects/*/branches", True), ("/projects/*", False), ("/projects/**", True), ("/**/branches", True)],
)
def test_one_star_is_one_part_of_a_path_and_two_are_any(project, path, meant):
    assert (project.call("GET", "/branches", **asking(f"500; on=GET {path}")).status_code == 500) == meant


def test_only_the_calls_that_it_means_are_counted(project):
    fault = asking("500; on=GET /projects/*/branches; skip=1; times=2")
    statuses = []
    for path in ("/branches", "", "/branches", "/endpoints", "/branches", "/branches"):
        statuses.append(project.call("GET", path, **fault).status_code)
    assert statuses == [200, 200, 500, 200, 500, 200]


def test_each_value_is_counted_by_itself(http):
    statuses = [http.get("projects", **asking(f"503; times=1; id={name}")).status_code for name in "aabab"]
    assert statuses == [503, 200, 503, 200, 200]


def test_a_value_that_is_long_out_of_use_is_forgotten(http, monkeypatch):
    monkeypatch.setattr(faults, "COUNTED", 2)
    statuses = [http.get("projects", **asking(f"503; times=1; id={name}")).status_code for name in "abca"]
    assert statuses == [503] * 4
    assert len(faults._seen) == 2


def test_it_may_stand_on_every_request_of_a_client(settings):
    with plane.wire() as http:
        http.headers[HEADER] = "503; on=GET /projects/*/branches; times=1"
        with plane.project(http) as project:
            assert [project.call("GET", "/branches").status_code for _ in range(3)] == [503, 200, 200]


# Who may ask


def test_off_by_default():
    from config import settings as site

    assert site.NEON_LOCAL_FAULTS is False


def test_while_it_is_off_the_header_is_ignored(http, settings):
    settings.NEON_LOCAL_FAULTS = False
    for fault in ("500", "nonsense"):
        assert http.get("projects", **asking(fault)).status_code == 200


def test_who_has_no_key_gets_no_fault(http):
    answer = http.get("projects", headers={HEADER: "slow; seconds=600", "Authorization": "Bearer wrong"})
    assert answer.status_code == 401


# Mistakes


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "'' is no fault"),
        ("418", "'418' is no fault; there are 423, 429"),
        ("500, 503", "is no fault"),
        ("operations", "is no fault"),
        ("operations=skipped", "is no fault"),
        ("drop=1", "is no fault"),
        ("500; tmies=2", "'tmies=2' is no condition; there are when, on"),
        ("500;", "'' is no condition"),
        ("500; times", "'times' is not understood"),
        ("500; times=-1", "'times=-1' is not understood"),
        ("500; times=1; times=2", "times is given twice"),
        ("500; when=never", "'when=never' is not understood"),
        ("500; on=projects", "'on=projects' is not understood"),
        ("500; on=get /projects", "is not understood"),
        ("500; id=a b", "is not understood"),
        ("429; retry-after=soon", "is not understood"),
        ("slow", "slow needs seconds=N"),
        ("slow; seconds=1e9", "is not understood"),
        ("slow; seconds=nan", "is not understood"),
        ("500; seconds=1", "500 takes no seconds"),
        ("drop; retry-after=1", "drop takes no retry-after"),
        ("operations=failed; when=after", "operations=failed takes no when"),
    ],
)
def test_a_value_that_is_not_understood_is_said(http, called, value, reason):
    answer = http.get("projects", **asking(value))
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{HEADER}: ")
    assert reason in answer.json()["message"]
    assert called == []


def test_spaces_do_not_matter(http):
    assert http.get("projects", **asking("  500 ;times = 1;  on=GET   /projects ")).status_code == 500
