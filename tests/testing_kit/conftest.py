"""The kit's own fixtures, taken in as a shop does."""

from __future__ import annotations

from oscar_triggers.testing.plugin import (  # noqa: F401 - fixtures; pytest_plugins works in the top conftest only
    play_flow,
    triggers_clock,
    triggers_outbox,
)
