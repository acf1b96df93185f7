"""Settings that serve nothing but the local control plane: over HTTP, it stands in for Neon."""

from config.settings import *  # noqa: F403

INSTALLED_APPS = ["neon.local"]
MIDDLEWARE = []
ROOT_URLCONF = "neon.local.urls"
