"""Role passwords, encrypted in the plane's memory."""

import base64
import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def new() -> str:
    """Return a fresh password, without characters that a URI would have to quote."""
    return secrets.token_urlsafe(24)


def encrypt(password: str) -> str:
    """Encrypt under the first of ``FIELD_ENCRYPTION_KEYS``."""
    return _cipher().encrypt(password.encode()).decode()


def decrypt(token: str) -> str:
    """Decrypt what ``encrypt`` made; raises ImproperlyConfigured when none of the keys fits."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        message = "A role's password was encrypted under a key that is not in FIELD_ENCRYPTION_KEYS."
        raise ImproperlyConfigured(message) from None


def _cipher() -> MultiFernet:
    keys = [hashlib.sha256(key.encode()).digest() for key in settings.FIELD_ENCRYPTION_KEYS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
