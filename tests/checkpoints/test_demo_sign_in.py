"""The one-time link of start_demo: /demo/sign-in/."""

from datetime import datetime, timedelta, timezone

import pytest
import time_machine
from sesame.utils import get_query_string

from tests.checkpoints.html import Page

NOW = datetime.now(timezone.utc)  # noqa: UP017


def url(user):
    return f"/demo/sign-in/{get_query_string(user)}"


def test_it_signs_in_and_lands_on_the_checkpoint(client, started, head):
    response = client.get(url(started))
    assert (response.status_code, response["Location"]) == (302, f"/checkpoints/{head.pk}/")
    assert client.get(f"/checkpoints/{head.pk}/").status_code == 200


def test_without_a_project_it_lands_at_home(client, user):
    assert client.get(url(user))["Location"] == "/"


def test_it_works_once(client, user):
    link = url(user)
    client.get(link)
    client.logout()
    response = client.get(link)
    assert response.status_code == 403
    assert "This sign-in link has been used already, or is older than ten minutes." in response.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(("age", "status"), [(590, 302), (610, 403)])
def test_it_works_for_ten_minutes(client, user, age, status):
    with time_machine.travel(NOW):
        link = url(user)
    with time_machine.travel(NOW + timedelta(seconds=age)):
        assert client.get(link).status_code == status


@pytest.mark.parametrize("query", ["", "?sesame=", "?sesame=junk", f"?sesame={'a' * 5000}"])
def test_anything_else_is_refused(client, db, query):
    response = client.get(f"/demo/sign-in/{query}")
    assert response.status_code == 403
    assert Page(response).headings == ["Not allowed"]


def test_the_token_stays_out_of_the_referrer_and_the_cache(client, user):
    response = client.get(url(user))
    assert response["Referrer-Policy"] == "same-origin"
    assert "no-store" in response["Cache-Control"]


def test_other_methods_are_refused(client, db):
    for method in ["post", "put", "patch", "delete"]:
        assert getattr(client, method)("/demo/sign-in/").status_code == 405, method
