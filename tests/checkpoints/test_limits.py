"""How often somebody may act, sign in and sign up; beyond that the answer is 429."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory

from checkpoints import limits
from tests.checkpoints.html import HTMX, Page

NOW = datetime.now(timezone.utc)  # noqa: UP017
AT_ONCE = 40


@pytest.fixture
def three(settings):
    """Three actions a minute for everybody."""
    settings.USER_ACTIONS_PER_MINUTE = 3


def click(browser, times=1, **options):
    """Return the statuses of so many clicks on an action that asks first."""
    return [browser.post("/start/", **options).status_code for _ in range(times)]


def test_nothing_is_limited_where_the_limits_are_nought(owner):
    assert click(owner, 10) == [200] * 10


def test_a_user_who_acts_too_often_is_refused_and_told(owner, three):
    assert click(owner, 3) == [200] * 3
    response = owner.post("/start/")
    page = Page(response)
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert page.headings == ["Too many attempts"]
    assert page.all("a", class_="brand")


def test_htmx_is_told_over_the_page_which_stays_as_it_is(owner, three):
    click(owner, 3)
    response = owner.post("/start/", headers=HTMX | {"HX-Current-URL": "http://testserver/x/?tab=meta"})
    page = Page(response)
    assert response.status_code == 429
    assert (response["HX-Retarget"], response["HX-Reswap"]) == ("#overlay", "innerHTML")
    assert not page.is_whole
    assert page.one(id="run-title").words == "Too many actions"
    assert page.alerts == ["Nothing was done. Wait a minute, then try again."]
    assert page.one("a")["href"] == "/x/?tab=meta"


def test_nothing_is_done_beyond_the_limit(owner, started, head, three, impatient):
    click(owner, 3)
    for url in (f"/checkpoints/{head.pk}/restore/", f"/checkpoints/{head.pk}/contacts/"):
        assert owner.post(url).status_code == 429
    assert not started.runs.unfinished().exists()


def test_looking_is_not_counted(owner, head, three):
    assert {owner.get(f"/checkpoints/{head.pk}/").status_code for _ in range(5)} == {200}
    assert click(owner, 3) == [200] * 3


def test_after_a_minute_the_way_is_free(owner, three):
    with time_machine.travel(NOW, tick=False) as clock:
        assert click(owner, 4) == [200, 200, 200, 429]
        clock.shift(timedelta(seconds=59))
        assert click(owner) == [429]
        clock.shift(timedelta(seconds=2))
        assert click(owner, 4) == [200, 200, 200, 429]


def test_others_are_not_held_up_by_one(owner, stranger, three, impatient):
    click(owner, 4)
    assert click(stranger) == [302]


def test_an_address_is_limited_whoever_it_is(owner, client_of, settings):
    settings.ADDRESS_ACTIONS_PER_MINUTE = 3
    others = [client_of(User.objects.create_user(name)) for name in ("bob", "eve")]
    statuses = [click(browser, data={"replace": "x"})[0] for browser in (owner, owner, owner, *others)]
    assert statuses == [200, 200, 200, 429, 429]
    assert click(owner, REMOTE_ADDR="10.0.0.7") == [200]


def test_behind_a_proxy_the_visitors_own_address_counts(owner, settings):
    settings.ADDRESS_ACTIONS_PER_MINUTE = 1
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for claimed, status in (("1.1.1.1, 10.0.0.1", 200), ("2.2.2.2, 10.0.0.1", 429), ("2.2.2.2, 10.0.0.2", 200)):
        assert click(owner, headers={"X-Forwarded-For": claimed}) == [status], claimed


def test_clicks_at_once_are_all_counted(transactional_db, settings):
    settings.USER_ACTIONS_PER_MINUTE = settings.ADDRESS_ACTIONS_PER_MINUTE = 30
    user = User.objects.create_user("ada")

    def act(number):
        request = RequestFactory().post("/start/")
        request.user, request.htmx = user, None
        try:
            return limits.refusal(request)
        finally:
            connection.close()

    try:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(act, range(AT_ONCE)))
    finally:
        with connection.cursor() as cursor:  # Django does not empty tables that it does not manage
            cursor.execute("DELETE FROM cache")
    assert answers.count(None) == 30


def test_signing_up_is_limited_per_address(client, db):
    for _ in range(60):
        assert client.post("/accounts/signup/", {"email": ""}).status_code == 200
    response = client.post("/accounts/signup/", {"email": ""})
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert Page(response).headings == ["Too many attempts"]
    assert client.post("/accounts/signup/", {"email": ""}, REMOTE_ADDR="10.0.0.7").status_code == 200


def test_signing_in_is_limited_per_address(client, db):
    statuses = [client.post("/accounts/login/", {"login": ""}).status_code for _ in range(31)]
    assert statuses == [200] * 30 + [429]
