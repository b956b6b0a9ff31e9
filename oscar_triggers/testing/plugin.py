"""Fixtures for pytest: write `pytest_plugins = ["oscar_triggers.testing.plugin"]` in conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ..channels import Parcel
from . import memory
from .clock import Clock
from .factories import contact as make_contact
from .factories import flow as make_flow
from .playing import FlowRun, play


@pytest.fixture
def triggers_clock() -> Clock:
    """Return a clock that stands at a Monday morning until it is moved."""
    return Clock()


@pytest.fixture
def triggers_outbox() -> Iterator[list[Parcel]]:
    """Return what the channel "memory" took over in this test."""
    memory.outbox.clear()
    yield memory.outbox
    memory.outbox.clear()


@pytest.fixture
def play_flow(db: None, triggers_clock: Clock) -> Callable[..., FlowRun]:
    """Return a function that publishes a flow and lets its event happen to somebody who agreed."""

    def start(
        source: Any, *, contact: Any = None, event: Any = None, about: Any = None, **rest: Any
    ) -> FlowRun:
        someone = contact or make_contact(now=triggers_clock.now)
        staged = make_flow(source, clock=triggers_clock, **rest)
        return play(staged, contact=someone, event=event, about=about)

    return start
