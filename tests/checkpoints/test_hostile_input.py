"""Whatever comes in at a form's field, a path or a header, nothing breaks, nothing is executed, nothing is believed.

    PROPERTY_EXAMPLES=300 uv run pytest tests/checkpoints/test_hostile_input.py

tries everything everywhere, and looks for longer and elsewhere each time.
"""

import os
import re
from itertools import count, product
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from checkpoints import runs
from checkpoints.models import Checkpoint, Project, Run
from tests.checkpoints.hostile import NASTY, SHORT, TEXT, encode, traces
from tests.checkpoints.html import HTMX, Page
from tests.checkpoints.test_url_table import routes

pytestmark = pytest.mark.timeout(600)
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
FORM = "application/x-www-form-urlencoded"
OURS = re.compile("/?(?!accounts/|admin/)")
# What is most likely to break something; with PROPERTY_EXAMPLES, everything is tried everywhere.
TELLING = {"NUL", "double quotes", "huge", "brackets"}
TELLING_OURS = TELLING | {"half a character", "script", "single quotes", "template", "SQL", "long"}
FIELDS = {"input", "select", "textarea"}
GROUP = re.compile(r"\(\?P(<\w+>)(?:\[.*?\]|[^()\[])*\)")  # of a route that is an expression
number = count()


def forms(response):
    """The forms of a page: where each is sent, by which method, and what its fields hold."""
    form = None
    for element in Page(response).elements:
        if element.tag == "form":
            form = (element["action"] or response.request["PATH_INFO"], (element["method"] or "get").lower(), {})
            yield form
        elif element.tag in FIELDS and form and element["name"] and element["name"] != "csrfmiddlewaretoken":
            form[2][element["name"]] = element["type"] or "text", element["value"] or ""


def attacks(url, all_of_them):
    """What is tried there."""
    tried = all_of_them if EXAMPLES else TELLING_OURS if OURS.match(url) else TELLING
    return [(name, text) for name, text in all_of_them.items() if name in tried]


@pytest.fixture
def everyone(owner, started, client, db, monkeypatch, settings):
    """Somebody with a project, who is an administrator too, and a visitor; whatever breaks is an answer."""
    settings.ACCOUNT_RATE_LIMITS = False
    started.is_staff = started.is_superuser = True
    started.save()
    owner.raise_request_exception = client.raise_request_exception = False
    return owner, client


@pytest.fixture
def found(everyone, started, project, head, contacts, impatient):
    """Every form with fields of its own, by where it is sent; who sends it, and what its fields are."""
    owner, visitor = everyone
    failed = runs.begin(owner=started, kind=Run.Kind.RESTORE, project=project, target=head, queue=False)
    failed.fail("There is no room.", remedy=Run.Remedy.ROOM)
    page = f"/checkpoints/{head.pk}/"
    pages = {
        owner: [
            *("/", page, f"{page}changes/", f"{page}delete/", f"/runs/{failed.pk}/"),
            f"{page}contacts/{contacts()['Ada Lovelace'].id}/edit/",
            *("/accounts/email/", "/accounts/password/change/", "/accounts/reauthenticate/", "/admin/auth/user/"),
            "/admin/checkpoints/run/",
        ],
        visitor: ["/accounts/login/?next=/", "/accounts/signup/", "/accounts/password/reset/"],
    }
    sent = {
        (action, method): (browser, fields)
        for browser, urls in pages.items()
        for url in urls
        for action, method, fields in list(forms(browser.get(url)))  # a form's fields come after it
        if fields
    }
    sent["/start/", "post"] = owner, {"replace": ("hidden", str(project.pk))}
    return sent


def send(browser, url, method, values, headers=None, *, keep=False):
    """Send a form as a browser would write it, half characters too; keep what it does in the meta database, or not."""
    body = "&".join(f"{quote(name)}={encode(value)}" for name, value in values.items())
    with transaction.atomic():
        if method == "post":
            answer = browser.generic("POST", url, body, content_type=FORM, headers=headers)
        else:
            answer = browser.get(f"{url}?{body}", headers=headers)
        transaction.set_rollback(not keep)
    return answer


def test_there_are_forms_and_they_have_fields(found):
    names = {name for _, fields in found.values() for name in fields}
    assert {"name", "email", "label", "pinned", "replace", "login", "password1", "oldpassword", "q"} <= names
    assert len(found) >= 12


def test_every_field_takes_anything(found):
    wrong = []
    for (url, method), (browser, fields) in found.items():
        for number, (name, value) in enumerate(attacks(url, NASTY if method == "post" else SHORT)):
            headers = HTMX if OURS.match(url) and number % 2 else None
            answer = send(browser, url, method, dict.fromkeys(fields, value), headers)
            wrong += [(url, name, trace) for trace in traces(answer)]
            if name == "long" and method == "post" and answer.status_code not in {400, 409}:
                wrong.append((url, name, answer.status_code))
    assert wrong == []


def test_what_is_kept_is_shown_as_it_is(everyone, found, head, contacts):
    """Where a nasty text is a name like any other, it is stored, and shown as text by every page."""
    owner, _ = everyone
    page = f"/checkpoints/{head.pk}/"
    for value in [*NASTY.values()][2:-1]:
        send(owner, f"{page}contacts/", "post", {"name": value, "email": f"a{next(number)}@example.com"})
        send(owner, f"{page}rename/", "post", {"label": value[:80]}, keep=True)
        assert [trace for url in (page, f"{page}?tab=meta") for trace in traces(owner.get(url))] == [], value
    assert {NASTY["element"], NASTY["SQL"], NASTY["template"], NASTY["emoji"][:200]} <= {*contacts()}
    assert Checkpoint.objects.get().label == NASTY["brackets"]


@settings(
    max_examples=EXAMPLES or 30,
    derandomize=not EXAMPLES,
    database=None if not EXAMPLES else settings.default.database,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_field_of_any_form_breaks(found, data):
    (url, method), (browser, fields) = data.draw(st.sampled_from(list(found.items())))
    values = {name: data.draw(st.just(usual) | TEXT, label=name) for name, (_, usual) in fields.items()}
    headers = data.draw(st.sampled_from([None, HTMX, HTMX | {"HX-Target": "tab"}]))
    assert list(traces(send(browser, url, method, values, headers))) == []


def test_every_segment_of_every_path_takes_anything(everyone, head, contacts):
    """The admin's by the example of two models, as they are the same code."""
    wrong = []
    known = {"pk": str(head.pk), "id": str(contacts()["Ada Lovelace"].id)}
    owner, visitor = everyone
    for route in routes():
        if route.startswith("admin/") and not re.match("admin/(auth/user|checkpoints/run)/", route):
            continue
        plain = re.sub(r"<\w+:", "<", GROUP.sub(r"\1", route)).replace("^", "").replace("$", "")
        names = re.findall(r"<(\w+)>", plain)
        for name, (nasty, value) in product(names, attacks(route, SHORT)):
            values = dict.fromkeys(names, "1") | known | {name: encode(value)}
            path = re.sub(r"<(\w+)>", lambda found, values=values: values[found[1]], plain)
            for browser in (owner, visitor) if route.startswith("accounts/") else (owner,):
                answer = browser.generic("GET", f"/{path}")
                wrong += [(route, name, nasty, trace) for trace in traces(answer)]
    assert wrong == []


def test_every_query_parameter_takes_anything(everyone, head):
    owner, visitor = everyone
    wrong = []
    for browser, url, names in (
        (owner, f"/checkpoints/{head.pk}/", ["tab", "q", "since", "until"]),
        (owner, "/admin/checkpoints/run/", ["q", "o", "p", "status__exact", "owner__id__exact", "created_at__gte"]),
        (visitor, "/accounts/login/", ["next"]),
        (visitor, "/accounts/signup/", ["next", "email"]),
        (visitor, "/demo/sign-in/", ["sesame"]),
        (visitor, "/accounts/3rdparty/login/error/", ["error"]),
    ):
        for name, (nasty, value) in product(names, attacks(url, SHORT)):
            answer = browser.get(f"{url}?{name}={encode(value)}")
            wrong += [(url, name, nasty, trace) for trace in traces(answer)]
    assert wrong == []


def test_every_header_and_cookie_that_is_read_takes_anything(everyone, head):
    owner, visitor = everyone
    wrong = []
    read = ("HX-Target", "HX-Trigger-Name", "HX-Prompt", "Referer", "Accept-Language", "X-Forwarded-For")
    for nasty, value in SHORT.items():
        # As a web server would let it through.
        text = value if value.isascii() and value.isprintable() else encode(value)
        answers = [owner.get(f"/checkpoints/{head.pk}/", headers=HTMX | dict.fromkeys(read, text))]
        for current in (text, f"http://testserver{text}"):
            answers.append(visitor.post("/start/", headers=HTMX | {"HX-Current-URL": current}))
        written = '"\\000\\047"' if nasty == "NUL" else text.replace(";", "")
        cookies = "; ".join(f"{name}={written}" for name in ("sessionid", "csrftoken", "messages"))
        for url in ("/accounts/login/", f"/checkpoints/{head.pk}/"):
            answers.append(Client(raise_request_exception=False, headers={"Cookie": cookies}).get(url))
        wrong += [(nasty, answer.request["PATH_INFO"], trace) for answer in answers for trace in traces(answer)]
    assert wrong == []


CONTENT_TYPES = [
    *("", "text/plain", "application/json", "application/xml", "application/octet-stream", "junk", "a/b; charset=x"),
    *("multipart/form-data", "multipart/form-data; boundary=\x00", "multipart/form-data; boundary=" + "x" * 300),
    *(f"{FORM}; charset=utf-7", f"{FORM}; charset=utf-16", f"{FORM}; charset=nonsense"),
]


def test_every_content_type_is_answered(found):
    body = b'--x\r\n\r\n{"name": "\xff\xfe"}&email=%00&=<?xml'
    for (url, method), (browser, _) in found.items():
        for content_type in CONTENT_TYPES if method == "post" and (OURS.match(url) or "login" in url) else []:
            with transaction.atomic():
                answer = browser.generic("POST", url, body, content_type=content_type)
                transaction.set_rollback(True)
            assert list(traces(answer)) == [], (url, content_type)


def test_too_many_fields_and_too_large_files_are_refused(everyone, head, tmp_path):
    owner, _ = everyone
    url = f"/checkpoints/{head.pk}/contacts/"
    assert owner.generic("POST", url, "a=1&" * 2000, content_type=FORM).status_code == 400
    large = tmp_path / "large"
    large.write_bytes(b"x" * 5 * 2**20)
    with large.open("rb") as file:
        response = owner.post(url, {"name": "A", "email": "a@example.com", "file": file})
    assert response.status_code == 302  # nobody asked for it: it is not kept, neither in memory nor on disk
    assert not response.wsgi_request.FILES


def test_without_a_token_nothing_is_done(found, started, head, contacts):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(started)
    before = contacts()
    statuses = {
        (url, strict.post(url, {name: value for name, (_, value) in fields.items()}).status_code)
        for (url, method), (_, fields) in found.items()
        if method == "post"
    } | {(url, strict.post(url).status_code) for url in (f"/checkpoints/{head.pk}/restore/", "/accounts/logout/")}
    assert {status for _, status in statuses} == {403}
    assert contacts() == before
    assert not Run.objects.unfinished().exists()
    assert Project.objects.count() == 1
