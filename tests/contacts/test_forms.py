import re
from uuid import uuid4

import pytest
from django.http import QueryDict

from contacts import queries, schema
from contacts.forms import ContactForm
from contacts.types import Contact
from contacts.versions import FIRST, VERSIONS, get
from tests.contacts.everybody import everybody

LAST = VERSIONS[-1]
VALID = {"name": "Ada", "email": "ada@example.com", "role": "", "company": "", "tags": ""}


def cleaned(**typed):
    form = ContactForm(LAST, VALID | typed)
    assert form.is_valid(), form.errors
    return form.cleaned_data


def errors(**typed):
    return dict(ContactForm(LAST, VALID | typed).errors)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_a_form_has_the_fields_of_its_version(version):
    form = ContactForm(version)
    assert tuple(form.fields) == version.fields
    assert [field.label for field in form] == [name.capitalize() for name in version.fields]


def test_fields_of_a_later_version_are_ignored():
    form = ContactForm(FIRST, VALID | {"role": "x" * 1000})
    assert form.is_valid()
    assert form.cleaned_data == {"name": "Ada", "email": "ada@example.com"}


def test_what_browsers_post_is_understood():
    form = ContactForm(LAST, QueryDict("name=Ada&email=ada%40example.com&role=&company=&tags=a,b&other=1"))
    assert form.is_valid()
    assert form.cleaned_data["tags"] == ("a", "b")


@pytest.mark.parametrize("name", ["", " ", "\t\n", "\u3000\u00a0"])
def test_a_name_is_required(name):
    assert errors(name=name) == {"name": ["Enter a name."]}


def test_an_email_is_required():
    assert errors(email=" ") == {"email": ["Enter an email address."]}


@pytest.mark.parametrize("email", ["ada", "ada@", "@example.com", "a b@example.com", "ada@example", "a@b@example.com"])
def test_an_email_must_be_well_formed(email):
    assert errors(email=email) == {"email": ["Enter an email address such as ada@example.com."]}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("  ada@example.com ", "ada@example.com"), ("Ada.Lovelace@Example.COM", "Ada.Lovelace@example.com")],
)
def test_an_email_is_kept_without_spaces_and_with_its_domain_in_small_letters(typed, kept):
    assert cleaned(email=typed)["email"] == kept


def test_text_is_trimmed():
    assert cleaned(name="  Ada Lovelace ", role=" Countess ") == VALID | {
        "name": "Ada Lovelace",
        "role": "Countess",
        "tags": (),
    }


@pytest.mark.parametrize("field", ["name", "role", "company"])
def test_text_is_bounded(field):
    assert cleaned(**{field: "é" * 200})[field] == "é" * 200
    assert errors(**{field: "é" * 201}) == {field: ["Use at most 200 characters."]}


def test_an_email_is_bounded():
    longest = "a" * 64 + "@" + ".".join(["b" * 61] * 3) + ".com"
    assert len(longest) == 254
    assert cleaned(email=longest)["email"] == longest
    assert errors(email=f"a{longest}") == {"email": ["Use at most 254 characters."]}


@pytest.mark.parametrize("field", ["name", "role", "company", "tags"])
@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_what_postgres_cannot_store_is_an_error_at_the_field(field, character):
    assert errors(**{field: f"a{character}b"}) == {field: ["Remove the characters that are not text."]}


@pytest.mark.parametrize("character", ["\x00", "\ud800"])
def test_what_postgres_cannot_store_is_an_error_at_the_email(character):
    assert list(errors(email=f"a{character}@example.com")) == ["email"]


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", ()),
        (" , ,, ", ()),
        ("one", ("one",)),
        (" two words ,b,", ("two words", "b")),
        ("Blue, red, BLUE, blue", ("Blue", "red")),
        ("straße, STRASSE", ("straße",)),
    ],
)
def test_tags_are_separated_by_commas_trimmed_and_kept_once(typed, tags):
    assert cleaned(tags=typed)["tags"] == tags


def test_tags_are_bounded_in_number_and_length():
    twenty = ", ".join(f"{number:0>40}" for number in range(20))
    assert len(cleaned(tags=twenty)["tags"]) == 20
    assert errors(tags=f"{twenty}, x") == {"tags": ["Use at most 20 tags."]}
    assert errors(tags="x" * 41) == {"tags": ["Use at most 40 characters for a tag."]}
    assert errors(tags="x," * 501) == {"tags": ["Use at most 1000 characters."]}


def test_the_form_for_a_contact_shows_what_it_has():
    contact = Contact(uuid4(), "Ada", "ada@example.com", "Countess", "Engine", ("a b", "c"))
    form = ContactForm.for_contact(LAST, contact)
    assert [field.value() for field in form] == ["Ada", "ada@example.com", "Countess", "Engine", "a b, c"]
    assert form["name"].id_for_label == f"contact-{contact.id}-name"
    assert ContactForm(LAST)["name"].id_for_label == "contact-name"


def test_what_a_form_shows_it_accepts(uri):
    for version in VERSIONS[1:]:
        schema.apply(uri, version)
    for contact in everybody(uri, LAST):
        shown = {field.name: field.value() for field in ContactForm.for_contact(LAST, contact)}
        form = ContactForm.for_contact(LAST, contact, shown)
        assert form.is_valid()
        assert queries.change(uri, LAST, contact.id, form.cleaned_data) == contact


def test_a_duplicate_email_is_told_at_the_field_and_what_was_typed_stays():
    form = ContactForm(get("v2"), VALID | {"role": "Countess"})
    assert form.is_valid()
    form.refuse_duplicate_email()
    assert form.errors == {"email": ["Another contact has this email."]}
    assert form["email"].value() == "ada@example.com"
    assert form["role"].value() == "Countess"


def test_inputs_tell_the_browser_what_they_are():
    shown = {field.name: str(field) for field in ContactForm(LAST)}
    assert all('autocomplete="off"' in html for html in shown.values())
    assert re.search(r'type="email".* maxlength="254"', shown["email"])
    assert 'spellcheck="false"' in shown["email"]
    assert [name for name, html in shown.items() if "required" in html] == ["name", "email"]
    assert ContactForm(LAST)["tags"].help_text == "Separate tags with commas"


def test_html_in_a_value_is_escaped():
    form = ContactForm(FIRST, {"name": '"><script>', "email": "x"})
    assert "<script>" not in str(form["name"])
