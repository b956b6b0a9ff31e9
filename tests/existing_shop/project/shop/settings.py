"""The settings of the existing shop, before anything of `docs/install.md` was done."""

from __future__ import annotations

import json
import os
from pathlib import Path

from oscar import INSTALLED_APPS as OSCAR_APPS
from oscar.defaults import *  # noqa: F403 — Oscar's documented way to get its settings

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "the-existing-shop-keeps-no-secrets"
DEBUG = False
ALLOWED_HOSTS = ["shop.example", "outlet.example"]
ROOT_URLCONF = "shop.urls"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

FORKS = {
    "oscar.apps.basket.apps.BasketConfig": "forks.basket.apps.BasketConfig",
    "oscar.apps.catalogue.apps.CatalogueConfig": "forks.catalogue.apps.CatalogueConfig",
    "oscar.apps.order.apps.OrderConfig": "forks.order.apps.OrderConfig",
    "oscar.apps.partner.apps.PartnerConfig": "forks.partner.apps.PartnerConfig",
}
INSTALLED_APPS = [
    *(FORKS.get(name, name) for name in OSCAR_APPS),
    "accounts",
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
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
    "anymail",
    "shop",
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "shop.sqlite3",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}
if "EXISTING_SHOP_POSTGRES" in os.environ:
    # Who waits for a lock gives up, so that a test can tell.
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        **json.loads(os.environ["EXISTING_SHOP_POSTGRES"]),
        "OPTIONS": {"options": "-c lock_timeout=3000"},
    }

AUTHENTICATION_BACKENDS = ["oscar.apps.customer.auth_backends.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LANGUAGE_CODE = "en-gb"
USE_TZ = True
TIME_ZONE = "Europe/London"
STATIC_URL = "/static/"
MEDIA_ROOT = BASE_DIR / "media"

HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
OSCAR_DEFAULT_CURRENCY = "GBP"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_FROM_EMAIL = "orders@shop.example"
DEFAULT_FROM_EMAIL = "info@shop.example"
EMAIL_BACKEND = "anymail.backends.test.EmailBackend"
WAGTAIL_SITE_NAME = "The Example Shop"
WAGTAILADMIN_BASE_URL = "https://shop.example"

# ── The shop's own Celery ────────────────────────────────────────────────────────────────────────

CELERY_BROKER_URL = "memory://"
CELERY_TIMEZONE = "Europe/London"
CELERY_TASK_SERIALIZER = "yaml"
CELERY_ACCEPT_CONTENT = ["yaml"]
CELERY_TASK_DEFAULT_QUEUE = "shop"
CELERY_TASK_ROUTES = {"shop.tasks.*": {"queue": "stock"}}
CELERY_BEAT_SCHEDULE = {
    "count-stock": {"task": "shop.tasks.count_stock", "schedule": 3600.0, "args": ["A"]}
}
