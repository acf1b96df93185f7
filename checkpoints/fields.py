"""A text field that is encrypted in the database."""

import base64
import functools
import hashlib
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class WrongKey(ImproperlyConfigured):
    """What is stored cannot be read under any of the keys."""


class EncryptedTextField(models.TextField[str, str]):
    """Text that only holders of one of ``FIELD_ENCRYPTION_KEYS`` can read; written under the first of them.

    Raises WrongKey when a value was written under none of the keys, instead of handing back ciphertext.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way in; equal texts differ there, so the field cannot be searched."""
        text = super().get_prep_value(value)
        return text if text is None else _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Decrypt on the way out."""
        if value is None:
            return None
        try:
            return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken:
            message = (
                f"{self.model.__name__}.{self.name} was encrypted under a key that is not in FIELD_ENCRYPTION_KEYS."
            )
            raise WrongKey(message) from None


@functools.cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])
