"""Fixtures that every test may use."""

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings

from neon.local import postgres


@pytest.fixture(scope="session", autouse=True)
def _embedded_server() -> Iterator[None]:
    """Stop this session's server and remove its folder at the end."""
    yield
    postgres.server().leave()
    shutil.rmtree(settings.DATA_DIR, ignore_errors=True)
