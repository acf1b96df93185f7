"""Settings of the benchmarks: the site's own, with a Postgres server of their own in a temporary folder.

It writes to disk as it does for users. ``TMPDIR`` says where the folder is, and so which disk is measured.
"""

import atexit
import os
import shutil
import tempfile

# Whatever the developer's shell or .env says, benchmarks run locally, and never beside the data of a running demo.
for name in (
    *("ALLOWED_HOSTS", "DATABASE_URL", "DEBUG", "LOCAL_POSTGRES_URL"),
    *("NEON_API_KEY", "NEON_LOCAL_API_KEY", "NEON_ORG_ID"),
):
    os.environ[name] = ""
os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="checkpoints-bench-")
atexit.register(shutil.rmtree, os.environ["DATA_DIR"], ignore_errors=True)  # after the server has stopped

from config.settings import *  # noqa: E402, F403

NEON_LOCAL_OPERATION_SECONDS = NEON_LOCAL_SNAPSHOT_LIMIT = NEON_LOCAL_ROOT_BRANCH_LIMIT = 0
NEON_LOCAL_RECOVERY_SECONDS = 0  # the databases of deleted projects would only lie around
