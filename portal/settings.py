"""All settings, from the environment. docs/operations.md lists the variables."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF

from portal import env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("GATEHOUSE_VAR", str(BASE_DIR / "var")))
VERSION = "1.0"

DEBUG = False
DEMO = env.flag("GATEHOUSE_DEMO")

# Every absolute URL is built from this one, never from the Host header (T37).
PUBLIC_URL = env.text("PUBLIC_URL").rstrip("/")
_public = urlsplit(PUBLIC_URL)
HTTPS = _public.scheme == "https"
ALLOWED_HOSTS = [_public.hostname] if _public.hostname else []
USE_X_FORWARDED_HOST = False

# Keys. The ring wraps every data key; without one nothing starts (portal/checks.py says so).
SECRET_KEY = env.secret("SECRET_KEY")
GATEHOUSE_KEYS = env.secret("GATEHOUSE_KEYS", "")

# Whoever reads /metrics from another machine brings it.
METRICS_TOKEN = env.secret("METRICS_TOKEN", "")

# Where connections may lead although it is not the public internet: "10.20.0.0/16:443,8443".
ALLOWED_OUTBOUND_NETWORKS = env.text("ALLOWED_OUTBOUND_NETWORKS", "").split()
OUTBOUND_CA_FILE = env.text("OUTBOUND_CA_FILE", "") or None

# Microsoft Entra; other clouds have other authorities, such as https://login.microsoftonline.us.
ENTRA_AUTHORITY = env.text("ENTRA_AUTHORITY", "https://login.microsoftonline.com").rstrip("/")
# Days after which the key of the portal's own issuer is rotated by itself.
SIGNING_KEY_DAYS = env.integer("SIGNING_KEY_DAYS", 90)

# The authentication methods, in the order in which people see them. A new one is one class and one line.
AUTH_METHODS = [
    "connections.methods.key_based.KeyBased",
    "connections.methods.entra.AgentIdentity",
    "connections.methods.entra.ProjectManagedIdentity",
    "consent.method.OAuthIdentityPassthrough",
    "connections.methods.unauthenticated.Unauthenticated",
]

# The gateway. Sizes in bytes, times in seconds; limits count in each process.
GATEWAY_THREADS = env.integer("GATEWAY_THREADS", 8)
GATEWAY_MAX_REQUEST = env.integer("GATEWAY_MAX_REQUEST", 1_048_576)
GATEWAY_MAX_ANSWER = env.integer("GATEWAY_MAX_ANSWER", 10_485_760)
GATEWAY_CALL_SECONDS = env.integer("GATEWAY_CALL_SECONDS", 120)
GATEWAY_STREAM_SECONDS = env.integer("GATEWAY_STREAM_SECONDS", 900)
GATEWAY_IDLE_SECONDS = env.integer("GATEWAY_IDLE_SECONDS", 60)
GATEWAY_CALLS_PER_MINUTE = env.integer("GATEWAY_CALLS_PER_MINUTE", 600)
GATEWAY_CALLS_AT_ONCE = env.integer("GATEWAY_CALLS_AT_ONCE", 64)

# A stored value that was not replaced for so long is called old on the pages.
SECRET_OLD_DAYS = env.integer("SECRET_OLD_DAYS", 180)
# Scheduled probes: how often where the connection does not say (minutes, 0 for never), how many at once in a round.
PROBE_MINUTES = env.integer("PROBE_MINUTES", 5)
PROBE_THREADS = env.integer("PROBE_THREADS", 24)
# Refreshing ahead of need: what all workers together may ask of one provider, and the threads of each worker process.
REFRESH_AT_ONCE = env.integer("REFRESH_AT_ONCE", 32)
REFRESH_PER_SECOND = env.integer("REFRESH_PER_SECOND", 150)
REFRESH_THREADS = env.integer("REFRESH_THREADS", 16)

INSTALLED_APPS = [
    "portal",
    "connections",
    "consent",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
]

MIDDLEWARE = [
    "portal.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.middleware.PrivatePagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portal.middleware.TimeZoneMiddleware",
    "portal.middleware.DefaultDenyMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True

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
                "portal.navigation.navigation",
            ],
            "builtins": ["portal.templatetags.fluent"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# A statement that hangs must not hold a call: 5 s to run, 2 s for a lock (F10).
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL"), conn_max_age=600, conn_health_checks=True, disable_server_side_cursors=True
    )
}
# A Unix socket stands in the query, ?host=/run/postgresql: as the URL's host it would lose its capitals.
DATABASES["default"]["HOST"] = (
    DATABASES["default"].setdefault("OPTIONS", {}).pop("host", "") or DATABASES["default"]["HOST"]
)
DATABASES["default"]["OPTIONS"]["options"] = (
    "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=15000"
)
# A server that takes the connection and says nothing is given up as well.
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"}}

# Sign-in: local accounts by e-mail; nobody signs up, people are invited.
AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "portal.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_DISPLAY = "portal.users.display_name"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
# The cookie ends with the browser; portal/sessions.py says when the session does.
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Nobody can make the portal write to an address that it does not know.
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/5m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", 0)
MFA_ADAPTER = "portal.accounts.MfaAdapter"
# Addresses come from invitations; allauth's own notion of a verified one would keep everybody from a second factor.
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Gatehouse"

EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.integer("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", f"Gatehouse <gatehouse@{_public.hostname}>")

# Cookies follow the scheme of PUBLIC_URL. The session is Lax: Strict is not sent on the way back from a
# provider, and a consent could then not be tied to the browser that began it (security.md 6.1).
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "session"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_IDLE = timedelta(minutes=60)
SESSION_EXTEND_EVERY = timedelta(minutes=1)
SESSION_ENGINE = "portal.sessions"
CSRF_USE_SESSIONS = True
CSRF_COOKIE_SECURE = HTTPS
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
CSRF_FAILURE_VIEW = "portal.errors.csrf_failure"

SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
# Only where a proxy overwrites the header; docs/operations.md says how.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("TRUST_X_FORWARDED_PROTO") else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.errors.NothingSecret"
ADMINS: list = []
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144

# Queue. Tasks carry ids only; the rows are the truth and a sweep finds what a broker lost (F05 to F08).
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "filesystem://localhost")
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 15
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
# By the task's name. A worker takes from all queues unless it is told otherwise (Procfile, docs/operations.md).
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "*.tasks.refresh_*": {"queue": "refresh"},
    "*.tasks.revoke_*": {"queue": "refresh"},
    "*.tasks.probe_*": {"queue": "probe"},
    "*.tasks.mail_*": {"queue": "mail"},
}


def _sweep(task: str, seconds: float) -> dict:
    """A wake-up of long ago is worth nothing: it expires, and no queue grows without end.

    Not after seconds: beat's clock says when, and a worker's may be minutes ahead (F16).
    """
    return {"task": task, "schedule": seconds, "options": {"expires": max(900, seconds)}}


# Beat only wakes sweeps. A second beat, or a lost wake-up, changes nothing but when they begin.
CELERY_BEAT_SCHEDULE = {
    "close-open-attempts": _sweep("portal.tasks.close_open_attempts", 30.0),
    "note-beat": _sweep("portal.tasks.note_beat", 30.0),
    "rotate-signing-key": _sweep("portal.tasks.rotate_signing_key", 3600.0),
    "end-former-values": _sweep("connections.tasks.end_former_values", 300.0),
    "mail-expiry": _sweep("connections.tasks.mail_expiry", 3600.0),
    "probe-due": _sweep("connections.tasks.probe_due", 10.0),
    "probe-tidying": _sweep("connections.tasks.probe_tidying", 900.0),
    "mail-health": _sweep("connections.tasks.mail_health", 30.0),
    "refresh-due": _sweep("consent.tasks.refresh_due", 5.0),
    "mail-due": _sweep("consent.tasks.mail_due", 60.0),
    "revoke-due": _sweep("consent.tasks.revoke_due", 30.0),
    "end-former-secrets": _sweep("consent.tasks.end_former_secrets", 300.0),
    "revoke-tidying": _sweep("consent.tasks.revoke_tidying", 3600.0),
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
if CELERY_BROKER_URL.startswith("filesystem:"):
    _queue = VAR_DIR / "queue"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
        "polling_interval": 0.05,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 120,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 2,
        "socket_connect_timeout": 2,
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

LOG_FORMAT = env.text("LOG_FORMAT", "line")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"chosen": {"()": "portal.log_lines.formatter"}},
    "filters": {"no_trace_of_refusals": {"()": "portal.log_filters.NoTraceOfRefusals"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "chosen"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "django.request": {"filters": ["no_trace_of_refusals"]},
        # At DEBUG this one prints parameters, and urllib3 prints addresses with their query.
        "django.db.backends": {"level": "INFO"},
        "urllib3": {"level": "INFO"},
        # These two write what Microsoft Entra says, and whom a token is for.
        "azure": {"level": "CRITICAL"},
        "msal": {"level": "CRITICAL"},
        # The server's own lines are written like all others.
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.access": {"handlers": [], "level": "CRITICAL"},
    },
}
