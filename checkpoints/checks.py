"""Settings mistakes as system checks, seen before the site starts rather than by its users."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register()
def check_neon(app_configs: Any, **options: Any) -> Sequence[CheckMessage]:
    """Check that the site knows where databases come from."""
    found: list[CheckMessage] = []
    if not settings.NEON_API_KEY and not settings.NEON_LOCAL:
        found.append(
            Error(
                "There is no NEON_API_KEY, and the local control plane is not meant.",
                hint="Set NEON_API_KEY, or NEON_LOCAL=1 if it is.",
                id="checkpoints.E001",
            )
        )
    url = urlsplit(settings.NEON_API_URL)
    if url.scheme not in {"http", "https"} or not url.hostname:
        found.append(
            Error("NEON_API_URL is not an http or https URL.", hint=settings.NEON_API_URL, id="checkpoints.E002")
        )
    elif settings.NEON_API_KEY and url.scheme == "http" and url.hostname not in {"127.0.0.1", "localhost", "::1"}:
        found.append(
            Error("NEON_API_URL would send the API key unencrypted.", hint="Use https.", id="checkpoints.E003")
        )
    if settings.NEON_LOCAL_OPERATION_SECONDS < 0 or settings.NEON_LOCAL_SNAPSHOT_LIMIT < 0:
        found.append(
            Error(
                "NEON_LOCAL_OPERATION_SECONDS and NEON_LOCAL_SNAPSHOT_LIMIT cannot be negative.", id="checkpoints.E004"
            )
        )
    return found


@register()
def check_keys(app_configs: Any, **options: Any) -> Sequence[CheckMessage]:
    """Check that what is encrypted can be read again."""
    if not settings.FIELD_ENCRYPTION_KEYS:
        return [Error("FIELD_ENCRYPTION_KEYS is empty.", hint="Unset it to use SECRET_KEY.", id="checkpoints.E005")]
    return []


@register(deploy=True)
def check_meta_database(app_configs: Any, **options: Any) -> Sequence[CheckMessage]:
    """Check that a production site does not keep its meta database on the embedded server unawares."""
    if not settings.LOCAL and settings.DATABASES["default"]["ENGINE"] == "neon.local.backend":
        return [
            Warning(
                "The meta database is on the embedded server.",
                hint="Set DATABASE_URL to a Postgres that you back up.",
                id="checkpoints.W001",
            )
        ]
    return []
