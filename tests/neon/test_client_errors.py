"""Every refusal is told apart, is put in words for people, and gives nothing secret away."""

import json
import logging
import traceback

import httpx
import pytest

from neon import errors
from neon.client import Client
from tests.neon import payloads, wire

HTML = "<html><body>524: A timeout occurred</body></html>"


SENTENCES = {
    errors.BadRequest: "Neon refused the request.",
    errors.ProjectGone: "Neon no longer has this project.",
    errors.NotFound: "Neon does not know this project, branch or snapshot.",
    errors.Unauthorized: "Neon refused the API key. Check NEON_API_KEY.",
    errors.PersonalKeyRequired: (
        "Neon does not allow this with an organisation's API key. Set NEON_API_KEY to a personal key."
    ),
    errors.OrganisationRequired: "Neon needs to know the organisation. Set NEON_ORG_ID.",
    errors.PlanLimit: "This Neon plan holds no more snapshots. Delete one or use a larger plan.",
    errors.Locked: "Neon is still working on this project. Try again in a moment.",
    errors.RateLimited: "Neon gets too many requests from this account. Try again in a minute.",
    errors.ServerError: "Neon has a fault on its side. Try again later.",
    errors.Unreachable: "Neon cannot be reached right now.",
    errors.Timeout: "Neon took too long to answer.",
    errors.UnexpectedResponse: "Neon gave an answer that could not be understood.",
}


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "", "invalid: project (field required)", errors.BadRequest),
        (409, "", "conflict", errors.BadRequest),
        (422, "", "branch is protected", errors.BadRequest),
        (404, "", "project not found", errors.NotFound),
        (401, "", "authentication required", errors.Unauthorized),
        (403, "", "forbidden", errors.Unauthorized),
        (404, "", "not allowed for organization API keys", errors.PersonalKeyRequired),
        (400, "", "org_id is required, see your settings page", errors.OrganisationRequired),
        (422, "SNAPSHOTS_LIMIT_EXCEEDED", "snapshots limit exceeded", errors.PlanLimit),
        (422, "", "snapshots limit exceeded", errors.PlanLimit),
        (423, "", "project already has running conflicting operations", errors.Locked),
        (429, "", "too many requests", errors.RateLimited),
        (500, "", "internal error", errors.ServerError),
        (501, "", "not implemented", errors.ServerError),
        (503, "", "unavailable", errors.ServerError),
        (504, "", "upstream request timeout", errors.Timeout),
        (524, "", "a timeout occurred", errors.Timeout),
        (302, "", "", errors.UnexpectedResponse),
    ],
)
def test_a_refusal_has_its_class_and_its_sentence(api, client, status, code, message, kind):
    body = payloads.error(message, code, request_id="req-in-body")
    api.post("/projects").respond(status, json=body, headers={"x-neon-ret-request-id": "req-in-header"})

    with pytest.raises(errors.NeonError) as caught:
        client.create_project("x")

    error = caught.value
    assert type(error) is kind
    assert error.sentence == SENTENCES[kind]
    assert (error.status, error.code, error.request_id) == (status, code, "req-in-body")
    assert str(error) == " ".join(filter(None, ["POST /projects:", str(status), code, message]))


@pytest.mark.parametrize(
    ("code", "message", "limit"),
    [
        ("ROOT_BRANCHES_LIMIT_EXCEEDED", "limit exceeded", "root branches"),
        ("PROJECTS_LIMIT_EXCEEDED", "", "projects"),
        ("", "root branches limit exceeded", "root branches"),
        ("", "project branches limit exceeded", "branches"),
    ],
)
def test_a_plan_limit_says_which_limit_and_what_to_do(api, client, code, message, limit):
    api.post("/projects").respond(422, json=payloads.error(message, code))

    with pytest.raises(errors.PlanLimit) as caught:
        client.create_project("x")

    assert caught.value.limit == limit
    assert caught.value.sentence == f"This Neon plan holds no more {limit}. Delete one or use a larger plan."


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (httpx.Response(500), True),
        (httpx.Response(502), True),
        (httpx.Response(504), True),
        (httpx.Response(524, html=HTML), True),
        (httpx.Response(201, html=HTML), True),
        (httpx.Response(201, json={}), True),
        (httpx.ReadTimeout, True),
        (httpx.WriteError, True),
        (httpx.RemoteProtocolError, True),
        (httpx.DecodingError, True),
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        *((httpx.Response(status), False) for status in (302, 400, 401, 403, 404, 409, 422, 423, 429, 501, 503)),
    ],
)
def test_whether_a_request_may_have_had_its_effect_is_known(api, time, answer, unknown):
    api.post("/projects").mock(side_effect=[answer] * 9)

    with wire.client(time, deadline=1) as client, pytest.raises(errors.NeonError) as caught:
        client.create_project("x")

    assert caught.value.effect_unknown is unknown


@pytest.mark.parametrize("status", [524, 502, 404])
def test_an_html_page_is_not_quoted(api, client, status):
    api.post("/projects").respond(status, html=HTML, headers={"x-neon-ret-request-id": "req-in-header"})

    with pytest.raises(errors.NeonError) as caught:
        client.create_project("x")

    assert str(caught.value) == f"POST /projects: {status}"
    assert caught.value.request_id == "req-in-header"


@pytest.mark.parametrize("body", ["[]", '"text"', '{"code": null, "message": {"deep": 1}}', "{}"])
def test_an_error_body_of_another_shape_still_is_its_error(api, client, body):
    api.get("/projects/p").respond(404, text=body)

    with pytest.raises(errors.NotFound):
        client.get_project("p")


def test_a_success_that_is_not_json_is_unexpected(api, client):
    api.get("/projects/p").respond(html=HTML)

    with pytest.raises(errors.UnexpectedResponse, match=r"^GET /projects/p: 200 not JSON$") as caught:
        client.get_project("p")

    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx.ConnectError, errors.Unreachable),
        (httpx.ConnectTimeout, errors.Unreachable),
        (httpx.ReadError, errors.Unreachable),
        (httpx.RemoteProtocolError, errors.Unreachable),
        (httpx.ReadTimeout, errors.Timeout),
        (httpx.WriteTimeout, errors.Timeout),
        (httpx.DecodingError, errors.UnexpectedResponse),
    ],
)
def test_no_answer_has_its_class_its_sentence_and_its_cause(api, client, cause, kind):
    api.post("/projects").mock(side_effect=cause)

    with pytest.raises(errors.NeonError, match=r"^POST /projects: ") as caught:
        client.create_project("x")

    error = caught.value
    assert type(error) is kind
    assert error.sentence == SENTENCES[kind]
    assert isinstance(error.__cause__, cause)
    assert (error.status, error.code, error.request_id) == (None, "", None)


def test_every_error_has_a_sentence_of_its_own():
    def leaves(kind: type[errors.NeonError]) -> list[type[errors.NeonError]]:
        return [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)] or [kind]

    kinds = leaves(errors.NeonError)
    made = [kind("a", "b") if kind is errors.OperationFailed else kind("a") for kind in kinds]
    sentences = {error.sentence for error in made}
    assert len(sentences) == len(kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


def shown(error: BaseException) -> str:
    """Return all that a log or a page may show of an error."""
    attributes = json.dumps(vars(error), default=str)
    sentence = error.sentence if isinstance(error, errors.NeonError) else ""
    return "\n".join([str(error), repr(error), attributes, sentence, *traceback.format_exception(error)])


LEAKY = (
    f"could not use {payloads.URI} with header Authorization: Bearer {wire.KEY}, "
    f"key {wire.KEY}, password {payloads.PASSWORD}, or postgres://u:{payloads.PASSWORD}@h/d"
)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 423, 429, 500, 503])
@pytest.mark.parametrize("place", ["message", "code", "request_id"])
def test_a_refusal_that_quotes_secrets_does_not_pass_them_on(api, client, caplog, status, place):
    caplog.set_level(logging.DEBUG)
    api.post("/projects").respond(status, json=payloads.error("no") | {place: LEAKY})

    with pytest.raises(errors.NeonError) as caught:
        client.create_project("x")

    for secret in (wire.KEY, payloads.PASSWORD, "postgres://", "postgresql://"):
        assert secret not in shown(caught.value)
        assert secret not in caplog.text


def test_a_key_of_any_form_is_kept_out(api, time):
    key = "an-old-form-of-key"
    api.get("/projects/p").respond(401, json=payloads.error(f"unknown key {key}"))

    with Client(key, base_url=wire.API) as client, pytest.raises(errors.Unauthorized) as caught:
        client.get_project("p")

    assert str(caught.value) == "GET /projects/p: 401 unknown key ***"
    assert key not in repr(client)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"uri": {"whole": payloads.URI}}),
        json.dumps({"connection": payloads.URI}),
        json.dumps({"uri": payloads.URI})[:-3],
        payloads.URI,
    ],
)
def test_a_connection_string_that_cannot_be_read_is_not_quoted(api, client, body):
    api.get("/projects/p/connection_uri").respond(text=body)

    with pytest.raises(errors.UnexpectedResponse) as caught:
        client.connection_uri("p")

    assert payloads.PASSWORD not in shown(caught.value)


def test_the_answers_that_hold_a_password_do_not_show_it(api, client):
    api.post("/projects").respond(201, json=payloads.created_project())

    assert payloads.PASSWORD not in repr(client.create_project("x"))


@pytest.mark.parametrize("key", ["", "  ", "napi_with\nbreak", "napi_w\u00eftht"])
def test_a_key_that_is_none_is_refused_before_it_is_sent(key):
    with pytest.raises(errors.Unauthorized) as caught:
        Client(key)

    assert not key.strip() or key not in shown(caught.value)


def test_space_around_the_key_is_dropped(api):
    route = api.get("/projects/p").respond(json={"project": payloads.project()})

    Client(f" {wire.KEY}\n", base_url=wire.API).get_project("p")

    assert route.calls.last.request.headers["Authorization"] == f"Bearer {wire.KEY}"
