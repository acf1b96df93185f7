"""Django settings: the only module that reads the environment.

Without ``ALLOWED_HOSTS`` the site is *local*: loopback only, plain http, a secret key of its own. With it the site is
*production*: https, and a secret key that must be given. README.md lists every variable.
"""

import contextlib
import secrets
from pathlib import Path

import django_stubs_ext
import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")


def kept_secret_key(folder: Path) -> str:
    """Return the secret key kept in *folder*, made once."""
    path = folder / "secret_key"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            fresh = folder / f"secret_key.{secrets.token_hex(4)}"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(50))
            with contextlib.suppress(FileExistsError):  # another process was first
                path.hardlink_to(fresh)  # never shows half a key
            fresh.unlink()
        return path.read_text()
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR {folder} cannot be used: {error.strerror}.") from error


# Local or production

DEBUG = env.bool("DEBUG", default=False)
DATA_DIR = Path(env.str("DATA_DIR", default="") or BASE_DIR / ".data").absolute()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
LOCAL = not ALLOWED_HOSTS
SECRET_KEY = env.str("SECRET_KEY", default="")

if LOCAL:
    ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
    SECRET_KEY = SECRET_KEY or kept_secret_key(DATA_DIR)
elif not SECRET_KEY:
    raise ImproperlyConfigured("Set SECRET_KEY: it is required when ALLOWED_HOSTS is set.")

SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Database URIs are encrypted under the first key and read under any of them.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[SECRET_KEY, *SECRET_KEY_FALLBACKS])

# Neon, or the local control plane when there is no key

NEON_API_KEY = env.str("NEON_API_KEY", default="")
NEON_API_URL = env.str("NEON_API_URL", default="https://console.neon.tech/api/v2")
NEON_ORG_ID = env.str("NEON_ORG_ID", default="")
# How many of the checkpoints that restores save by themselves each project keeps.
SAFETY_CHECKPOINTS = env.int("SAFETY_CHECKPOINTS", default=5)
NEON_LOCAL = env.bool("NEON_LOCAL", default=LOCAL)
NEON_LOCAL_API_KEY = env.str("NEON_LOCAL_API_KEY", default="")
NEON_LOCAL_API_KEY_GIVEN = bool(NEON_LOCAL_API_KEY)
NEON_LOCAL_API_KEY = NEON_LOCAL_API_KEY or salted_hmac("neon.local", "api key", SECRET_KEY).hexdigest()
# What the copies may take that are made in advance for restores, and from what size of a database they are made: even
# the smallest takes ten times as long to copy as to rename.
NEON_LOCAL_SPARE_BYTES = env.int("NEON_LOCAL_SPARE_BYTES", default=2 * 1024**3)
NEON_LOCAL_SPARE_FROM_BYTES = env.int("NEON_LOCAL_SPARE_FROM_BYTES", default=0)
NEON_LOCAL_OPERATION_SECONDS = env.float("NEON_LOCAL_OPERATION_SECONDS", default=0.0)
NEON_LOCAL_SNAPSHOT_LIMIT = env.int("NEON_LOCAL_SNAPSHOT_LIMIT", default=0)
NEON_LOCAL_ROOT_BRANCH_LIMIT = env.int("NEON_LOCAL_ROOT_BRANCH_LIMIT", default=0)
NEON_LOCAL_RECOVERY_SECONDS = env.float("NEON_LOCAL_RECOVERY_SECONDS", default=3600.0)
LOCAL_POSTGRES_URL = env.str("LOCAL_POSTGRES_URL", default="")
NEON_LOCAL_FAULTS = env.bool("NEON_LOCAL_FAULTS", default=False)

# The meta database: given, or on the embedded server

EMBEDDED_POSTGRES_SETTINGS: dict[str, str] = {}
if env.str("DATABASE_URL", default=""):
    DATABASES = {"default": env.db_url("DATABASE_URL")}
else:
    DATABASES = {"default": {"ENGINE": "neon.local.backend", "NAME": "checkpoints"}}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Rate limits must be counted once for all processes, so the cache is a table they share. What is in it beyond the
# limit is thrown away, limits too: more addresses than that must not be tried from at the same time.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

# Applications

SIGN_IN_HOSTS = {"github": "https://github.com", "google": "https://accounts.google.com"}
SOCIAL_APPS = {
    provider: {
        "client_id": env.str(f"{provider.upper()}_CLIENT_ID"),
        "secret": env.str(f"{provider.upper()}_SECRET"),
    }
    for provider in SIGN_IN_HOSTS
    if env.str(f"{provider.upper()}_CLIENT_ID", default="")
}

INSTALLED_APPS = [
    "checkpoints",
    "contacts",
    "neon.local",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "procrastinate.contrib.django",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    *(f"allauth.socialaccount.providers.{provider}" for provider in SOCIAL_APPS),
]

MIDDLEWARE = [
    "config.requests.log",
    # Those that add headers come before static files, which need them as well.
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.requests.add_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",  # its files are compressed already
    # BREACH guesses a secret by how well a page that repeats the guess compresses. The CSRF token is masked anew in
    # each page, and Django varies the length by chance, which makes guessing what else a page says, such as a contact
    # while a search is repeated in it, too long for the few pages that a foreign site can open.
    "django.middleware.gzip.GZipMiddleware",
    "config.requests.refuse_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "checkpoints.outages.Outages",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "checkpoints.kept.seen",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# How many runs and clean-ups each worker has at work; others wait, and their pages say for how many.
WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=4)
PROCRASTINATE_WORKER_DEFAULTS = {
    "concurrency": WORKER_CONCURRENCY,
    "fetch_job_polling_interval": 0.25,  # LISTEN does not survive a restart of Postgres; polling does
    "update_heartbeat_interval": 2.0,  # by which pages and /readyz tell whether a worker is there
    "delete_jobs": "always",  # what failed is in the log, and is tried again by a new job
}

# Accounts

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
    *(["sesame.backends.ModelBackend"] if LOCAL else []),
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_ADAPTER = "checkpoints.accounts.AccountAdapter"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none" if LOCAL else "mandatory"
ACCOUNT_SESSION_REMEMBER = True
# Rate limits count addresses; behind a proxy the visitor's is the one that the proxy passes on.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0 if LOCAL else 1)
SOCIALACCOUNT_PROVIDERS = {provider: {"APPS": [app]} for provider, app in SOCIAL_APPS.items()}
# Signing up and in is limited by allauth, its other limits are as they come; 0 means no limit for actions.
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "signup": "60/m/ip"}
USER_ACTIONS_PER_MINUTE = env.int("USER_ACTIONS_PER_MINUTE", default=120)
ADDRESS_ACTIONS_PER_MINUTE = env.int("ADDRESS_ACTIONS_PER_MINUTE", default=1200)
# The one-time sign-in link of start_demo: local only, once, for ten minutes.
SESAME_MAX_AGE = 600
SESAME_ONE_TIME = True

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="checkpoints@localhost")

# Static files

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = False

# Language and time

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"

# Security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF],
        "font-src": [SELF],
        # A browser holds the redirect that follows a form to this list as well.
        "form-action": [SELF, *(SIGN_IN_HOSTS[provider] for provider in SOCIAL_APPS)],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "script-src": [SELF],
        "style-src": [SELF],
    },
}
# Nobody has to send more, and nobody a file: a large one is not kept, least of all on disk.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
CSRF_COOKIE_HTTPONLY = True  # htmx has the token from the page
if not LOCAL:
    # By these names a browser keeps a cookie only if this very host has set it, over https.
    CSRF_COOKIE_NAME, SESSION_COOKIE_NAME = "__Host-csrftoken", "__Host-sessionid"
    CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]

# Logging: to the console, one line each

LOG_FORMAT = env.str("LOG_FORMAT", default="text")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "secretless": {
            "()": "config.logs.JsonFormatter" if LOG_FORMAT == "json" else "config.logs.RedactingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
            "secrets": [
                *(SECRET_KEY, *SECRET_KEY_FALLBACKS, *FIELD_ENCRYPTION_KEYS, NEON_API_KEY, NEON_LOCAL_API_KEY),
                *(app["secret"] for app in SOCIAL_APPS.values()),
            ],
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "secretless"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="WARNING" if LOCAL else "INFO")},
    "loggers": {
        # Without handlers of their own, which would write past the formatter above.
        "django": {"level": "NOTSET"},
        "django.server": {"level": "INFO", "propagate": True},
        # These would show session keys and headers.
        **{name: {"level": "WARNING"} for name in ("django.db.backends", "httpx", "httpcore")},
    },
}
