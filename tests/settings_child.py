"""Settings of a process that a test starts: the test's own server and its test database."""

import os

from config.settings import *  # noqa: F403

DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]  # noqa: F405
EMBEDDED_POSTGRES_SETTINGS = {"fsync": "off"}
