"""Settings of the sandbox: Oscar and Wagtail in one project, switched by environment variables.

`DATABASE_URL` and `REDIS_URL` choose PostgreSQL and Redis; without them everything runs on SQLite
and a broker made of files, with no server to install.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
import environ
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from oscar import INSTALLED_APPS as OSCAR_APPS
from oscar.defaults import *  # noqa: F403 — Oscar's documented way to get its settings

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent
VAR_DIR = Path(env.str("SANDBOX_VAR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=True)
#: Known to everybody, which is right for a shop that lives on one desk only.
SECRET_KEY = env.str("SECRET_KEY", default="sandbox-only-secret-key-that-everybody-may-know")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"])
PORT = env.int("PORT", default=8000)
SITE_URL = env.str("SITE_URL", default=f"http://localhost:{PORT}")
CSRF_TRUSTED_ORIGINS = [SITE_URL]

SITE_ID = 1
ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
X_FRAME_OPTIONS = "SAMEORIGIN"  # Wagtail's preview panel frames the site's own pages.

#: The engine needs no Wagtail; `WITHOUT_WAGTAIL=1` runs the shop as if it were not installed.
WITH_WAGTAIL = find_spec("wagtail") is not None and not env.bool("WITHOUT_WAGTAIL", default=False)
#: `WITH_LOCALIZE=1` has letters translated by wagtail-localize, where it is installed.
WITH_LOCALIZE = WITH_WAGTAIL and env.bool("WITH_LOCALIZE", default=False)
WAGTAIL_APPS = [
    *(["wagtail_localize", "wagtail_localize.locales"] if WITH_LOCALIZE else []),
    "wagtail.contrib.forms",
    "wagtail.contrib.settings",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "wagtail_triggers",
]

# Oscar's apps come first, so that `update_index` is haystack's (Wagtail's is
# `wagtail_update_index`).
INSTALLED_APPS = [
    *OSCAR_APPS,
    *(WAGTAIL_APPS if WITH_WAGTAIL else []),
    "sorl.thumbnail",
    "oscar_triggers",
    "sandbox.shop",
    "sandbox.shop_extras",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    *(["sandbox.csp.ContentSecurityPolicy"] if WITH_WAGTAIL else []),
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                # In place of Oscar's own two, which also work on the pages of Wagtail's admin.
                "sandbox.context_processors.search_form",
                "sandbox.context_processors.notifications",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.core.context_processors.metadata",
            ],
        },
    }
]

# ── Database ─────────────────────────────────────────────────────────────────────────────────────

#: WAL and IMMEDIATE: or the worker, the editor's autosave and its preview lock each other out.
SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database(url: str) -> dict[str, Any]:
    """Return a DATABASES entry for a database URL, with what SQLite needs beside a worker."""
    config: dict[str, Any] = env.db_url_config(url)
    if config["ENGINE"] == "django.db.backends.sqlite3":
        config["OPTIONS"] = {**SQLITE_OPTIONS, **config.get("OPTIONS", {})}
    return config


def apps_of(config: dict[str, Any]) -> list[str]:
    """Return the apps that a database needs: Wagtail's search uses PostgreSQL's own fields there.

    Django 6.1 checks it; without psycopg, as on SQLite, the app cannot be loaded.
    """
    is_postgresql = config["ENGINE"] == "django.db.backends.postgresql"
    return ["django.contrib.postgres"] if WITH_WAGTAIL and is_postgresql else []


DATABASES = {
    "default": database(env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'shop.sqlite3'}"))
}
INSTALLED_APPS += apps_of(DATABASES["default"])

# ── People, languages, files ─────────────────────────────────────────────────────────────────────

AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "customer:login"
LOGIN_REDIRECT_URL = "/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German")), ("ru", _("Russian"))]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR_DIR / "media"

HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "sandbox.shop.search.DatabaseEngine"}}

REDIS_URL = env.str("REDIS_URL", default="")
CACHES: dict[str, dict[str, Any]] = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# ── Oscar ────────────────────────────────────────────────────────────────────────────────────────

OSCAR_SHOP_NAME = "Kettle & Pine"
OSCAR_SHOP_TAGLINE = "Things for outdoors"
OSCAR_DEFAULT_CURRENCY = "EUR"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_ALLOW_ANON_REVIEWS = True
OSCAR_FROM_EMAIL = "Kettle & Pine <orders@kettle-and-pine.example>"
OSCAR_URL_SCHEMA = "http"
OSCAR_INITIAL_ORDER_STATUS = "Pending"
OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {
    "Pending": ("Being processed", "Cancelled"),
    "Being processed": ("Shipped", "Ready for pick-up", "Complete", "Cancelled"),
    "Shipped": ("Delivered",),
    "Delivered": ("Refunded",),
    "Ready for pick-up": ("Picked up", "Cancelled"),
    "Picked up": ("Refunded",),
    "Complete": ("Refunded",),
    "Refunded": (),
    "Cancelled": (),
}

# ── Wagtail ──────────────────────────────────────────────────────────────────────────────────────

WAGTAIL_SITE_NAME = OSCAR_SHOP_NAME
WAGTAILADMIN_BASE_URL = SITE_URL
WAGTAIL_I18N_ENABLED = True
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
# Both would call servers outside from the editor's browser.
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAIL_GRAVATAR_PROVIDER_URL = None

# ── Mail: real SMTP to the sink that the sandbox starts ──────────────────────────────────────────

DEFAULT_FROM_EMAIL = "Kettle & Pine <hello@kettle-and-pine.example>"
SERVER_EMAIL = "sandbox@kettle-and-pine.example"
SMTP_HOST = env.str("SMTP_HOST", default="127.0.0.1")
SMTP_PORT = env.int("SMTP_PORT", default=8025)
SMTP_TIMEOUT_SECONDS = 10
EMAIL_BACKEND_PATH = env.str(
    "SANDBOX_EMAIL_BACKEND", default="django.core.mail.backends.smtp.EmailBackend"
)
if django.VERSION >= (6, 1):
    MAILERS = {
        "default": {
            "BACKEND": EMAIL_BACKEND_PATH,
            "OPTIONS": {"host": SMTP_HOST, "port": SMTP_PORT, "timeout": SMTP_TIMEOUT_SECONDS},
        }
    }
else:
    EMAIL_BACKEND = EMAIL_BACKEND_PATH
    EMAIL_HOST = SMTP_HOST
    EMAIL_PORT = SMTP_PORT
    EMAIL_TIMEOUT = SMTP_TIMEOUT_SECONDS
INBOX_DIR = VAR_DIR / "inbox"

# ── Triggers ─────────────────────────────────────────────────────────────────────────────────────

OSCAR_TRIGGERS = {
    # A copy of the database that is started under another name sends nothing.
    "ENVIRONMENT": "sandbox",
    # Nobody is on call for a sandbox: alarms stand in the log and in `triggers_doctor`.
    "ALARMS": {},
    "BASE_URL": SITE_URL,
    "SHOP_NAME": OSCAR_SHOP_NAME,
    "POSTAL_ADDRESS": "Kettle & Pine Ltd, 12 Harbour Street, Whitby YO21 3PU, United Kingdom",
    "SENDERS": {
        "promotional": {
            "from_email": "Kettle & Pine <hello@kettle-and-pine.example>",
            "reply_to": "Mary at Kettle & Pine <mary@kettle-and-pine.example>",
        },
        "transactional": {"from_email": OSCAR_FROM_EMAIL},
    },
    "TOPICS": {"offers": pgettext_lazy("triggers", "Offers and reminders")},
    # What the statuses above mean; a status that stands nowhere means nothing to flows.
    "ORDER_STAGES": {
        "shipped": ("Shipped",),
        "ready": ("Ready for pick-up",),
        "received": ("Delivered", "Picked up", "Complete"),
        "cancelled": ("Cancelled",),
        # "Returned" is a type of shipping events.
        "refunded": ("Refunded", "Returned"),
    },
}

# ── Celery: beat rings every five seconds; a lost ring costs nothing ─────────────────────────────

TICK_SECONDS = 5
BROKER_DIR = VAR_DIR / "broker"
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
else:
    CELERY_BROKER_URL = "filesystem://"
    for _folder in ("messages", "control", "done"):
        (BROKER_DIR / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "messages"),
        "data_folder_out": str(BROKER_DIR / "messages"),
        "control_folder": str(BROKER_DIR / "control"),
        "processed_folder": str(BROKER_DIR / "done"),
        "store_processed": False,
    }
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "oscar-triggers-tick": {
        "task": "oscar_triggers.tasks.tick",
        "schedule": timedelta(seconds=TICK_SECONDS),
        "options": {"expires": TICK_SECONDS},
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "oscar_triggers": {"level": "INFO"},
        "wagtail_triggers": {"level": "INFO"},
        "sandbox": {"level": "INFO"},
    },
}
