"""Settings of the tests: the site's own, with a Postgres server of their own in a temporary folder."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Whatever the developer's shell or .env says, tests run locally, and never beside the data of a running demo.
for name in (
    *("ALLOWED_HOSTS", "DATABASE_URL", "DEBUG", "LOCAL_POSTGRES_URL"),
    *("NEON_API_KEY", "NEON_LOCAL_API_KEY", "NEON_ORG_ID"),
):
    os.environ[name] = ""
# Databases are copied by the hundred: in memory, where there is room for them.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 6 * 2**30:
    tempfile.tempdir = str(MEMORY)
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="checkpoints-test-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)  # after the server has stopped

# Playwright's event loop stays in the thread that the tests run in; nothing of theirs is asynchronous.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

from config.settings import *  # noqa: E402, F403

EMBEDDED_POSTGRES_SETTINGS = {"fsync": "off"}
NEON_LOCAL_RECOVERY_SECONDS = 0  # the databases of hundreds of deleted projects would only lie around
USER_ACTIONS_PER_MINUTE = ADDRESS_ACTIONS_PER_MINUTE = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Static files as they lie in the source, not collected.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # noqa: F405
STATIC_ROOT.mkdir()  # noqa: F405 - whitenoise warns when there is none
