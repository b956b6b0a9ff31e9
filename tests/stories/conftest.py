"""A shop with the shipped flow, a mail server, and somebody at its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from .walking import Leave, Tide, Walker, leave_as_guest, leave_as_member

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.mail import SmtpSink


@pytest.fixture
def open_shop(
    live_server: Any, settings: Any, shop_site: Any, country: Any, smtp_sink: SmtpSink
) -> Any:
    """Return the running shop, in whose letters links lead to it."""
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "BASE_URL": live_server.url}
    return live_server


@pytest.fixture
def tide(open_shop: Any, smtp_sink: SmtpSink) -> Tide:
    """Return the shop's time; the shipped flow is live."""
    call_command("triggers_publish", "preset:abandoned-basket", verbosity=0)
    return Tide(sink=smtp_sink)


@pytest.fixture
def walker(page: Page, open_shop: Any) -> Walker:
    """Return somebody in front of a browser."""
    return Walker(page=page, email="mary@example.com")


@pytest.fixture(params=[leave_as_guest, leave_as_member], ids=["guest", "member"])
def leave(request: pytest.FixtureRequest) -> Leave:
    """Return how a basket is left behind: by a guest, and by a member."""
    chosen: Leave = request.param
    return chosen
