"""The form for a contact: one definition, of which a version shows the fields that it has."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.safestring import SafeString, mark_safe

from contacts.errors import DuplicateEmail
from contacts.types import Contact
from contacts.versions import Version

TEXT_LENGTH = 200
EMAIL_LENGTH = 254  # the longest address that mail can be sent to
TAG_COUNT = 20
TAG_LENGTH = 40
TAGS_LENGTH = 1000  # all of them as typed, commas and spaces included
NOT_TEXT = "Remove the characters that are not text."


def validate_unicode(value: str) -> None:
    """Refuse half of a surrogate pair: it is no character, and Postgres cannot store it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValidationError(NOT_TEXT, code="not_unicode") from None


class TextField(forms.CharField):
    """A line of text that Postgres can store."""

    default_validators = [validate_unicode]  # noqa: RUF012 - as Django declares it

    def __init__(self, *, max_length: int = TEXT_LENGTH, missing: str = "", **options: Any) -> None:
        messages = {
            "required": missing,
            "max_length": f"Use at most {max_length} characters.",
            "null_characters_not_allowed": NOT_TEXT,
        }
        super().__init__(max_length=max_length, error_messages=messages, **options)


class EmailField(TextField):
    """An email address, its domain in small letters: there they mean the same, before the @ they may not."""

    widget = forms.EmailInput

    def clean(self, value: Any) -> str:
        """Return the address as it is stored."""
        address = super().clean(value)
        try:
            validate_email(address)
        except ValidationError:
            raise ValidationError("Enter an email address such as ada@example.com.", code="invalid") from None
        local, _, domain = address.rpartition("@")
        return f"{local}@{domain.lower()}"


class TagsField(TextField):
    """Tags: text with commas for people, a tuple for the program."""

    def clean(self, value: Any) -> tuple[str, ...]:
        """Return the tags, each once, in the order and spelling in which they first come."""
        stripped = (tag.strip() for tag in super().clean(value).split(","))
        tags: dict[str, str] = {}
        for tag in filter(None, stripped):
            tags.setdefault(tag.casefold(), tag)
        if len(tags) > TAG_COUNT:
            raise ValidationError(f"Use at most {TAG_COUNT} tags.", code="too_many")
        if any(len(tag) > TAG_LENGTH for tag in tags.values()):
            raise ValidationError(f"Use at most {TAG_LENGTH} characters for a tag.", code="too_long")
        return tuple(tags.values())

    def prepare_value(self, value: Any) -> Any:
        """Return tags as text; what somebody typed is text already."""
        return ", ".join(value) if isinstance(value, tuple) else value


class ContactForm(forms.Form):
    """The fields that a contact has at a version; `cleaned_data` is what queries.add and change take."""

    name = TextField(missing="Enter a name.", label="Name")
    email = EmailField(missing="Enter an email address.", label="Email", max_length=EMAIL_LENGTH)
    role = TextField(required=False, label="Role")
    company = TextField(required=False, label="Company")
    tags = TagsField(required=False, label="Tags", max_length=TAGS_LENGTH, help_text="Separate tags with commas")

    def __init__(
        self,
        version: Version,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
        auto_id: str = "contact-%s",
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), auto_id=auto_id)
        self.version = version
        self.fields = {name: self.fields[name] for name in version.fields}
        for field in self.fields.values():
            # A contact is somebody else: the browser must not fill in its user's own name and address.
            field.widget.attrs |= {"autocomplete": "off"}
        self.fields["email"].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}

    def groups(self) -> SafeString:
        """Return the fields with their labels and errors, as HTML."""
        return _groups(self) if self.is_bound or self.initial else _blank_groups(self.version)

    def full_clean(self) -> None:
        """Clean, and let the cursor wait at the first field that is wrong."""
        super().full_clean()
        self._focus_first_error()

    @classmethod
    def for_contact(cls, version: Version, contact: Contact, data: Mapping[str, Any] | None = None) -> ContactForm:
        """Return the form that edits *contact*, with ids of its own beside other forms on the page."""
        initial = {name: getattr(contact, name) for name in version.fields}
        return cls(version, data, initial=initial, auto_id=f"contact-{contact.id}-%s")

    def refuse_duplicate_email(self) -> None:
        """Say at the email that another contact has it; everything typed stays."""
        self.add_error("email", DuplicateEmail.sentence)
        self._focus_first_error()

    def _focus_first_error(self) -> None:
        wrong = next((field for name, field in self.fields.items() if name in self.errors), None)
        if wrong:
            wrong.widget.attrs["autofocus"] = True


def _groups(form: ContactForm) -> SafeString:
    return mark_safe("".join(field.as_field_group() for field in form))  # noqa: S308 - each of them is safe


@functools.cache
def _blank_groups(version: Version) -> SafeString:
    """Return what is the same in every page."""
    return _groups(ContactForm(version))
