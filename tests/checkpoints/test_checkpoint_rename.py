"""Name a checkpoint: POST /checkpoints/<id>/rename/."""

import pytest

from tests.checkpoints.html import HTMX, Page


def rename(owner, head, label, **options):
    return owner.post(f"/checkpoints/{head.pk}/rename/", {"label": label}, **options)


def test_the_name_stands_in_place_of_the_prompt(owner, head):
    response = rename(owner, head, "  The list as it was ", follow=True)
    assert "The list as it was" in Page(response).one("span", class_="place").words
    head.refresh_from_db()
    assert (head.label, str(head)) == ("The list as it was", "v1: The list as it was")


def test_an_empty_one_takes_it_away(owner, head):
    rename(owner, head, "x")
    rename(owner, head, "")
    head.refresh_from_db()
    assert str(head) == "v1: Create a contact list app with name and email"


def test_htmx_gets_the_page(owner, head):
    assert "Mine" in Page(rename(owner, head, "Mine", headers=HTMX)).one("span", class_="place").words


@pytest.mark.parametrize(
    ("label", "sentence"),
    [("x" * 81, "at most 80 characters"), ("a\x00b", "Null characters are not allowed")],
)
def test_a_name_that_does_not_fit_is_said_at_the_field(owner, head, label, sentence):
    response = rename(owner, head, label)
    assert response.status_code == 422
    page = Page(response)
    assert page.one(id="manage").attributes.keys() >= {"open"}
    assert sentence in page.one(class_="errorlist").words
    head.refresh_from_db()
    assert head.label == ""


def test_a_name_is_text_and_not_markup(owner, head):
    response = rename(owner, head, "<b>bold</b>", follow=True)
    assert Page(response).all("b") == []
