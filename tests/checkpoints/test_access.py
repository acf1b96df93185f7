"""What the table of all URLs does not say of them: htmx, ids that do not exist, and where visitors are sent."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.urls.resolvers import URLResolver

from checkpoints import runs
from checkpoints import urls as site
from checkpoints.models import Project, Run
from neon import service as neon
from tests.checkpoints.html import HTMX, Page

METHODS = ["get", "post", "delete"]
SIGNED_IN = {"start"}


def patterns(inside, converters=()):
    """Every URL with the names of its parameters; a URL added tomorrow is among them."""
    for pattern in inside:
        names = {*converters, *pattern.pattern.converters, *pattern.pattern.regex.groupindex}
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns, names)
        else:
            yield pattern.name, frozenset(names)


@pytest.fixture
def urls(started, head, contacts):
    """Every URL that belongs to somebody, with the ids of a started demo."""
    ids = {"id": contacts()["Ada Lovelace"].id}
    targets = {"pk": head.pk}
    run = Run.objects.get()
    found = {}
    for name, parameters in patterns(site.urlpatterns):
        if parameters:
            known = targets | ids | ({"pk": run.pk} if name.startswith("run") else {})
            found[name] = reverse(name, kwargs={parameter: known[parameter] for parameter in parameters})
    return found


def test_a_stranger_gets_404_with_htmx_too(stranger, urls):
    answers = {
        (name, method): getattr(stranger, method)(url, headers=HTMX).status_code
        for name, url in urls.items()
        for method in METHODS
    }
    assert set(answers.values()) == {404}
    assert Run.objects.unfinished().count() == 0


def test_an_unknown_id_is_answered_as_a_foreign_one_is(stranger, urls, head):
    for url in urls.values():
        foreign = stranger.get(url)
        unknown = stranger.get(url.replace(str(head.pk)[:8], "00000000"))
        assert foreign.status_code == unknown.status_code == 404
        assert Page(foreign).one("main").words == Page(unknown).one("main").words


def test_htmx_of_a_visitor_leaves_the_page_to_sign_in(client, urls):
    for url in [*urls.values(), *map(reverse, SIGNED_IN)]:
        response = client.post(url, headers=HTMX | {"HX-Current-URL": "http://testserver/x/?y=z"})
        assert response["HX-Redirect"] == "/accounts/login/?next=/x/%3Fy%3Dz"


def test_a_page_of_another_site_is_nothing_to_go_back_to(client, urls):
    response = client.post("/start/", headers=HTMX | {"HX-Current-URL": "https://evil.example/x"})
    assert response["HX-Redirect"] == "/accounts/login/?next=/"


def test_a_contact_is_looked_for_in_ones_own_database_only(head, urls, contacts, client_of):
    eve = User.objects.create_user("eve@example.com", "eve@example.com")
    run = runs.begin(owner=eve, kind=Run.Kind.START, queue=False)
    runs.execute(run.pk)
    own = Project.objects.current(eve)
    url = urls["contact_delete"].replace(str(head.pk), str(own.head_id))
    response = client_of(eve).post(url)
    neon.connect().delete_project(own.neon_project_id)
    assert response.status_code == 409
    assert "Ada Lovelace" in contacts()
