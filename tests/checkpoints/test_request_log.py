"""The log line of a request, and that of a run's step."""

import logging

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from sesame.utils import get_query_string

from checkpoints.models import Run
from checkpoints.views import pages


@pytest.fixture
def lines(caplog):
    """What was written since one last looked: requests, and steps of runs."""
    caplog.set_level(logging.INFO)

    def look():
        found = [record for record in caplog.records if record.name in {"config.requests", "checkpoints.models.logged"}]
        caplog.clear()
        return found

    return look


def facts(record, *names):
    return tuple(getattr(record, name) for name in names)


def test_a_request_is_one_line(client, db, lines):
    client.get("/healthz?password=s3cret")
    (line,) = lines()
    assert facts(line, "method", "route", "outcome", "user_id", "run_id") == ("GET", "/healthz", 200, None, None)
    assert isinstance(line.milliseconds, int)
    assert line.getMessage() == f"GET /healthz: 200 in {line.milliseconds} ms, user None, run None"


def test_it_says_whose_and_about_which_run(owner, started, lines):
    run = Run.objects.get()
    owner.get(f"/runs/{run.pk}/")
    (line,) = lines()
    assert facts(line, "route", "outcome", "user_id", "run_id") == ("/runs/<uuid:pk>/", 302, started.pk, run.pk)


def test_an_action_says_which_run_it_began_and_the_run_what_it_did(owner, started, head, working, lines):
    owner.post(f"/checkpoints/{head.pk}/restore/")
    *steps, request = lines()
    run = Run.objects.first()
    assert facts(request, "method", "user_id", "run_id", "outcome") == ("POST", started.pk, run.pk, 302)
    assert [step.step for step in steps] == [step["name"] for step in run.steps]
    assert {facts(step, "kind", "outcome", "user_id", "run_id") for step in steps} == {
        ("restore", "done", started.pk, run.pk)
    }
    assert all(isinstance(step.milliseconds, int) for step in steps)


def test_a_step_that_fails_says_so(user, lines):
    run = Run(owner=user, kind=Run.Kind.START, steps=[{"name": "create", "state": "waiting", "started": None}])
    run.save()
    with pytest.raises(RuntimeError), run.step("create"):
        raise RuntimeError("postgresql://ada:s3cret@db/x")
    (line,) = lines()
    assert facts(line, "step", "outcome") == ("create", "failed")
    assert "s3cret" not in line.getMessage()


def test_signing_in_says_who(client, user, lines):
    client.post("/accounts/login/", {"login": user.email, "password": "correct horse"})
    (line,) = lines()
    assert facts(line, "outcome", "user_id") == (302, user.pk)


def test_what_nobody_had_to_be_known_for_asks_for_nobody(owner, lines, django_assert_num_queries):
    with django_assert_num_queries(0):
        owner.get("/healthz")
    assert lines()[0].user_id is None


def test_a_one_time_token_is_in_no_line(client, user, caplog):
    caplog.set_level(logging.DEBUG)
    token = default_token_generator.make_token(user)
    link = get_query_string(user)
    client.get(f"/accounts/password/reset/key/1-{token}/")
    client.get("/accounts/confirm-email/MQ:s3cret/")
    for _ in range(2):
        client.get(f"/demo/sign-in/{link}")
    text = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.request")
    assert "/demo/sign-in/: 403" in text
    assert "/accounts/password/reset/key" in text
    for secret in (token, "s3cret", link.partition("=")[2]):
        assert secret not in text


def test_an_unknown_address_is_not_quoted(client, db, lines):
    client.get("/x%0AERROR made up/")
    (line,) = lines()
    assert facts(line, "route", "outcome") == ("none", 404)


def test_a_fault_is_a_line_too(user, lines, monkeypatch):
    monkeypatch.setattr(pages.access, "unfinished_run", lambda request: 1 / 0)
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    browser.get("/")
    assert [line.outcome for line in lines()] == [500]
