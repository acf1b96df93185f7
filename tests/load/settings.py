"""Settings of the processes under load: the test's server and database, a log that the test reads, no rate limits."""

import os

from tests.settings_child import *  # noqa: F403

NEON_LOCAL_RECOVERY_SECONDS = 0  # what is deleted must go, or it could not be told from what leaks
USER_ACTIONS_PER_MINUTE = ADDRESS_ACTIONS_PER_MINUTE = 0  # they all come from one address
LOGGING["handlers"]["console"] |= {"class": "logging.FileHandler", "filename": os.environ["LOAD_LOG"]}  # noqa: F405
LOGGING["root"]["level"] = "WARNING"  # noqa: F405

# Static files as they lie in the source, not collected.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}  # noqa: F405
