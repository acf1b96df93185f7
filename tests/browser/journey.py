"""The journey that the product is about: forward, all the way back, and forward again, with nothing lost."""

from playwright.sync_api import expect

from tests.browser.user import User

FIRST = ["Ada Lovelace ada@example.com", "Alan Turing alan@example.com", "Grace Hopper grace@example.com"]
NOTHING = " \N{EN DASH}"
LAST_COLUMNS = ["id", "name", "email", "role", "company", "tags"]


def there_and_back(user: User) -> None:
    """Go from v1 to v3, back to v1 and forward to v3; *user* is at a fresh v1."""
    user.sees("v1")
    assert user.contacts() == FIRST

    user.add_contact(name="Katherine Johnson", email="katherine@example.com")
    expect(user.row("Katherine")).to_be_visible()
    user.press("Create next checkpoint")
    user.sees("v2")
    expect(user.row("Katherine")).to_be_visible()

    user.edit_contact("Ada Lovelace", role="Countess")
    expect(user.row("Countess")).to_be_visible()
    user.delete_contact("Grace Hopper")
    user.press("Create next checkpoint")
    user.sees("v3")
    at_v3 = user.contacts()
    assert at_v3 == [
        "Ada Lovelace ada@example.com Countess Analytical Engine mathematics pioneer",
        "Alan Turing alan@example.com Cryptanalyst Bletchley Park computability cryptanalysis",
        f"Katherine Johnson katherine@example.com{3 * NOTHING}",
    ]
    assert user.columns() == LAST_COLUMNS

    user.press("Revert back")
    user.sees("v2")
    assert user.contacts() == [
        "Ada Lovelace ada@example.com Mathematician Analytical Engine",
        "Alan Turing alan@example.com Cryptanalyst Bletchley Park",
        "Grace Hopper grace@example.com Rear admiral US Navy",
        f"Katherine Johnson katherine@example.com{2 * NOTHING}",
    ]
    user.press("Revert back")
    user.sees("v1")
    assert user.contacts() == FIRST
    assert user.columns() == ["id", "name", "email"]
    expect(user.page.get_by_label("Role")).to_have_count(0)
    expect(user.page.get_by_role("button", name="Revert back")).to_have_count(0)

    user.press("Next checkpoint")
    user.sees("v2")
    user.jump("Add tags")
    user.sees("v3")
    assert user.contacts() == at_v3
    assert user.columns() == LAST_COLUMNS
    expect(user.page.get_by_text("That was the last prompt.")).to_be_visible()
