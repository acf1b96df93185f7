"""Pin a checkpoint: POST /checkpoints/<id>/pin/."""

from tests.checkpoints.html import HTMX, Page


def pin(owner, head, **data):
    return owner.post(f"/checkpoints/{head.pk}/pin/", data, headers=HTMX)


def test_it_is_pinned_and_unpinned(owner, head):
    page = Page(pin(owner, head, pinned="on"))
    assert "pinned" in page.one("span", class_="place").words
    assert "Unpin" in page.labels
    head.refresh_from_db()
    assert head.pinned
    assert "Pin" in Page(pin(owner, head)).labels
    head.refresh_from_db()
    assert not head.pinned


def test_without_htmx_it_leads_back(owner, head):
    response = owner.post(f"/checkpoints/{head.pk}/pin/", {"pinned": "on"})
    assert (response.status_code, response["Location"]) == (302, f"/checkpoints/{head.pk}/")
