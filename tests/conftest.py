"""What tests share: the shop, its people, a browser and an SMTP server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from tests import services

if TYPE_CHECKING:
    from django.test import Client
    from playwright.sync_api import Browser, Page

    from oscar_triggers.registry import Registry
    from tests.mail import SmtpSink
    from tests.shopping import Shopper

# Playwright's synchronous API keeps an event loop running in the main thread, in which Django
# would refuse every query of a test.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

#: What was registered when a test began, in the order of `_registries`.
_REGISTERED = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a second run, on another database, leave out what never asks one."""
    parser.addoption(
        "--with-database",
        action="store_true",
        help="run only tests that ask the database: the others end the same on each",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for; where workers share the tests, begin with the longest."""
    if config.getoption("with_database"):
        config.hook.pytest_deselected(items=[item for item in items if not _asks_database(item)])
        items[:] = [item for item in items if _asks_database(item)]
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Or one of them would be left with a story of a minute while the other is idle.
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _asks_database(item: pytest.Item) -> bool:
    fixtures = {"db", "transactional_db"}.intersection(getattr(item, "fixturenames", ()))
    return bool(fixtures) or any(map(item.get_closest_marker, ("django_db", "postgres")))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Make the test database; on PostgreSQL, no commit of it waits for the disk."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            # A power cut during a test harms nobody.
            cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        with django_db_blocker.unblock():
            connection.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail where services are required, before a database is set up."""
    item.stash[_REGISTERED] = [dict(one.items()) for one in _registries()]
    if item.get_closest_marker("postgres"):
        url = os.environ.get("TEST_DATABASE_URL", "")
        if not url.startswith("postgres"):
            services.demand("PostgreSQL", "set TEST_DATABASE_URL=postgres://user@host:5432/name")
        elif not services.answers(url):
            services.demand("PostgreSQL", "nothing listens at TEST_DATABASE_URL")
    if item.get_closest_marker("redis") and not services.answers(services.redis_url()):
        services.demand("Redis", "start one, or set TEST_REDIS_URL")
    if item.get_closest_marker("browser") and services.browser_path() is None:
        services.demand("chromium", "install it with the system's package manager")


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """Return the URL of the test database, for processes that a test starts."""
    config = settings.DATABASES["default"]
    if config["ENGINE"] == "django.db.backends.sqlite3":
        return f"sqlite:///{config['NAME']}"
    password = f":{config['PASSWORD']}" if config["PASSWORD"] else ""
    host, port = config["HOST"] or "127.0.0.1", config["PORT"] or 5432
    return f"postgres://{config['USER']}{password}@{host}:{port}/{config['NAME']}"


@pytest.fixture
def process_environment(database_url: str) -> dict[str, str]:
    """Return the environment in which another process works on the test's database."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": database_url,
    }


@cache
def _registries() -> list[Registry[Any]]:
    """Return every place where apps register something."""
    import gc

    from oscar_triggers.registry import Registry

    return [one for one in gc.get_objects() if type(one) is Registry]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail the test that leaves something in a registry, and not a later one that stumbles on it."""
    yield
    before = item.stash.get(_REGISTERED, [])
    for one, was in zip(_registries(), before, strict=False):
        entries = dict(one.items())
        one._entries.clear()
        one._entries.update(was)
        assert entries == was, f"this test changed what is registered as {one.noun}"


# ── Wagtail ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def root_page(db: None) -> Any:
    """Return Wagtail's root page, with the locales and the site that its migrations would make."""
    if not settings.WITH_WAGTAIL:
        pytest.skip("the shop runs without Wagtail")
    from wagtail.models import Page

    from sandbox.shop import foundation

    foundation.lay()
    return Page.objects.get(depth=1)


@pytest.fixture
def site(root_page: Any) -> Any:
    """Return Wagtail's default site."""
    from wagtail.models import Site

    return Site.objects.get(is_default_site=True)


# ── Shop ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def shop_site(db: None) -> Any:
    """Return Django's site row, without which Oscar cannot place an order."""
    from django.contrib.sites.models import Site

    site, _ = Site.objects.update_or_create(
        pk=settings.SITE_ID, defaults={"domain": "testserver", "name": "Kettle & Pine"}
    )
    Site.objects.clear_cache()
    return site


@pytest.fixture
def country(db: None) -> Any:
    """Return a country that the shop sends parcels to."""
    from oscar.test.factories import CountryFactory

    return CountryFactory(
        iso_3166_1_a2="GB", printable_name="United Kingdom", is_shipping_country=True
    )


@pytest.fixture
def product(db: None) -> Any:
    """Return a mug that costs 12.50 EUR; ten are in stock."""
    from tests.shopping import make_product

    return make_product("Enamel mug", price=Decimal("12.50"))


@pytest.fixture
def other_product(db: None) -> Any:
    """Return a tent that costs 189.00 EUR; ten are in stock."""
    from tests.shopping import make_product

    return make_product("Ridge tent", price=Decimal("189.00"))


@pytest.fixture
def member(db: None) -> Any:
    """Return a customer with an account: anna@example.com, password "tea-and-biscuits"."""
    from oscar.test.factories import UserFactory

    return UserFactory(
        username="anna",
        email="anna@example.com",
        first_name="Anna",
        last_name="Bell",
        password="tea-and-biscuits",
    )


@pytest.fixture
def member_client(client: Client, member: Any) -> Client:
    """Return an HTTP client in which the member is signed in."""
    client.force_login(member, backend="oscar.apps.customer.auth_backends.EmailBackend")
    return client


@pytest.fixture
def guest(shop_site: Any, country: Any) -> Shopper:
    """Return someone without an account who walks through the shop over HTTP."""
    from django.test import Client

    from tests.shopping import Shopper

    return Shopper(client=Client(), email="guest@example.com")


@pytest.fixture
def shopper(shop_site: Any, country: Any, member: Any) -> Shopper:
    """Return the member, signed in, who walks through the shop over HTTP."""
    from django.test import Client

    from tests.shopping import Shopper

    client = Client()
    client.force_login(member, backend="oscar.apps.customer.auth_backends.EmailBackend")
    return Shopper(client=client, email=member.email)


# ── Mail ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def smtp_sink(settings: Any) -> Iterator[SmtpSink]:
    """Start an SMTP server on a free port, send the shop's mail to it, and keep what arrives."""
    from tests.mail import running_sink, use_sink

    with running_sink() as sink:
        use_sink(settings, sink)
        yield sink


# ── Browser ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the system's chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=services.browser_path(),
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
                "--disable-gpu",
            ],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, live_server: Any) -> Iterator[Page]:
    """Open a fresh page (own cookies, English) on the live shop; other hosts are cut off."""
    context = browser.new_context(
        base_url=live_server.url, locale="en-GB", viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(15_000)

    def only_the_shop(route: Any) -> None:
        if route.request.url.startswith((live_server.url, "data:", "blob:", "about:")):
            route.continue_()
        else:
            route.abort()

    context.route("**/*", only_the_shop)
    yield context.new_page()
    context.close()
