"""Settings mistakes as system checks, seen before the site starts rather than by its users."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

NOT_NEGATIVE = (
    "NEON_LOCAL_OPERATION_SECONDS",
    "NEON_LOCAL_SNAPSHOT_LIMIT",
    "NEON_LOCAL_ROOT_BRANCH_LIMIT",
    "NEON_LOCAL_RECOVERY_SECONDS",
    "NEON_LOCAL_SPARE_BYTES",
    "NEON_LOCAL_SPARE_FROM_BYTES",
    "USER_ACTIONS_PER_MINUTE",
    "ADDRESS_ACTIONS_PER_MINUTE",
)


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
    return found


@register()
def check_local_plane(app_configs: Any, **options: Any) -> Sequence[CheckMessage]:
    """Check that the local control plane can do as it is told, and keeps its faults from users."""
    found: list[CheckMessage] = []
    if negative := [name for name in NOT_NEGATIVE if getattr(settings, name) < 0]:
        found.append(
            Error(f"{' and '.join(negative)} cannot be negative.", hint="Use 0 or more.", id="checkpoints.E004")
        )
    key = settings.NEON_LOCAL_API_KEY
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        found.append(
            Error(
                "NEON_LOCAL_API_KEY holds characters that a header cannot have.",
                hint="Use printable ASCII, with no space at its ends.",
                id="checkpoints.E006",
            )
        )
    if settings.NEON_LOCAL_FAULTS and not settings.LOCAL:
        found.append(
            Error(
                "NEON_LOCAL_FAULTS is on where the site is not local.",
                hint="Unset it: it lets clients break the local control plane's answers.",
                id="checkpoints.E007",
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


@register()
def check_logging(app_configs: Any, **options: Any) -> Sequence[CheckMessage]:
    """Check that the log is written in a form that there is."""
    if settings.LOG_FORMAT not in {"text", "json"}:
        return [Error("LOG_FORMAT is neither text nor json.", hint="Unset it for text.", id="checkpoints.E008")]
    return []
