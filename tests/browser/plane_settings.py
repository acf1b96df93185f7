"""Settings that serve nothing but the local control plane: over HTTP, it stands in for Neon."""

import signal

from config.settings import *  # noqa: F403

# Where the tests themselves run in the background of a script, Ctrl-C would be ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

INSTALLED_APPS = ["neon.local"]
MIDDLEWARE = []
ROOT_URLCONF = "neon.local.urls"
