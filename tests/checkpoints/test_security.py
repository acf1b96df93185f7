"""What no page may show, and what every page has to say to the browser."""

import re
from collections import deque

from django.contrib.auth.models import User
from psycopg import conninfo

from checkpoints import runs
from checkpoints.models import Run
from tests.checkpoints.html import HTMX, TAB, Page

POLICY = {
    "default-src": ["'none'"],
    "base-uri": ["'none'"],
    "connect-src": ["'self'"],
    "font-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "img-src": ["'self'", "data:"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
}
# Sorting and filtering lead to the same pages again and again; and whoever signs out sees no more of them.
OWN = re.compile("/(?!/)")
NOT_FOLLOWED = re.compile(r"^//|^/static/|[?&](?!tab=|next=)|/logout/")


def policy(response):
    directives = (directive.split() for directive in response["Content-Security-Policy"].split(";"))
    return {name: sources for name, *sources in directives}


def walk(browser, *starts):
    """Every page that links and htmx lead to; those of the site as fragments, too."""
    waiting, seen = deque(starts), set(starts)
    while waiting:
        url = waiting.popleft()
        for headers in ({},) if url.startswith("/admin/") else ({}, HTMX, TAB):
            response = browser.get(url, headers=headers)
            yield f"{url} {headers or ''}", response
            page = Page(response)
            links = {element[name] for element in page.elements for name in ("href", "hx-get") if element[name]}
            for link in links | {response.headers.get("Location", "")}:
                link = f"{url.partition('?')[0]}{link}" if link.startswith("?") else link.partition("#")[0]
                if link.startswith("/") and link not in seen and not NOT_FOLLOWED.search(link):
                    seen.add(link)
                    waiting.append(link)


def faults(response, page):
    """What the policy of a page, or its own elements, allow that must not be."""
    if response.status_code >= 500:
        yield f"status {response.status_code}"
    if policy(response) != POLICY:
        yield "policy"
    if (response["X-Frame-Options"], response["X-Content-Type-Options"]) != ("DENY", "nosniff"):
        yield "headers"
    for element in page.elements:
        if element.tag in {"style", "iframe", "object", "embed", "base"}:
            yield element
        is_data = element["type"] == "application/json"
        if element.tag == "script" and not is_data and (element.words or not OWN.match(element["src"] or "")):
            yield element
        if (element["href"] or "").startswith("javascript:"):
            yield element
        if [name for name in element.attributes if name == "style" or name.startswith("on")]:
            yield element
    posts = [form for form in page.all("form") if (form["method"] or "").lower() == "post"]
    if len(page.all("input", name="csrfmiddlewaretoken")) != len(posts):
        yield "tokens"


def blunders(page):
    """What a screen reader would stumble over on a page of ours."""
    ids = [element["id"] for element in page.elements if element["id"]]
    yield from {f"two #{id}" for id in ids if ids.count(id) > 1}
    if not page.is_whole:
        return
    for tag in ("title", "h1", "main"):
        if len(page.all(tag)) != 1:
            yield f"{len(page.all(tag))} {tag}"
    if page.one("html")["lang"] != "en-GB":
        yield "language"
    for element in page.elements:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            if element.tag != "dialog":  # its title comes with the run
                yield from {f"{name} {id}" for id in (element[name] or "").split() if id not in ids}


def visit(owner, visitor, started, project, grown):
    """Every page of the site, the accounts and the admin, in every state."""
    failed = runs.begin(owner=started, kind=Run.Kind.RESTORE, project=project, target=grown.first, queue=False)
    failed.fail("Neon cannot be reached right now.", detail="Unreachable: GET /projects")
    first, second = f"/checkpoints/{grown.first.pk}/", f"/checkpoints/{grown.second.pk}/"
    yield from walk(owner, "/", "/admin/", f"/runs/{failed.pk}/", first, f"{first}?tab=schema", second)
    yield from walk(visitor, "/", "/accounts/login/", "/accounts/password/reset/")
    yield "start again", owner.post("/start/")
    yield "400", owner.generic("POST", "/start/", b"x", content_type="multipart/form-data")
    yield "404", owner.get("/nothing/")
    yield "invalid", owner.post(f"{second}contacts/", {"name": "\x00"})
    yield "moved", owner.post(f"{first}contacts/")
    run = runs.begin(owner=started, kind=Run.Kind.RESTORE, project=project, target=grown.first)
    for url in ("/", second, f"/runs/{run.pk}/"):
        yield f"{url} at work", owner.get(url)
    yield "busy", owner.post(f"{second}contacts/")


def test_every_page_keeps_secrets_and_to_the_policy(owner, client, started, project, grown, impatient):
    User.objects.filter(pk=started.pk).update(is_staff=True, is_superuser=True)
    parameters = conninfo.conninfo_to_dict(project.database_url)
    secrets = {project.database_url, parameters["password"], parameters["user"], "postgresql://", "postgres://"}
    found, seen = [], set()
    for url, response in visit(owner, client, started, project, grown):
        page, text = Page(response), f"{response.headers}{response.content.decode()}"
        seen.add(url.split()[0])
        found += [(url, fault) for fault in faults(response, page)]
        found += [(url, "secret") for secret in secrets if secret in text]
        if not url.startswith("/admin/"):
            found += [(url, blunder) for blunder in blunders(page)]
    assert found == []
    assert {"/", f"/checkpoints/{project.head_id}/?tab=meta", "/accounts/email/", "/accounts/signup/"} <= seen
    assert {"/admin/checkpoints/project/", f"/admin/checkpoints/project/{project.pk}/change/"} <= seen
    assert len([url for url in seen if url.startswith("/checkpoints/") and "/contacts/" in url]) == 9


def test_cookies_are_kept_from_scripts_and_other_sites(client, user):
    client.post("/accounts/login/", {"login": user.email, "password": "correct horse"})
    assert client.cookies["sessionid"]["httponly"]
    assert client.cookies["sessionid"]["samesite"] == "Lax"
    assert client.cookies["csrftoken"]["samesite"] == "Lax"
