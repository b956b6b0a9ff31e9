"""The test kit for shops and extensions: people, flows, a clock, and what was sent.

A public API: `pip install "django-oscar-triggers[testing]"`. Importing it registers the channel
"memory". It works on real rows and the very engine; nothing is mocked.
"""

from __future__ import annotations

from .assertions import SentLetter, assert_not_sent, assert_sent
from .clock import MONDAY, Clock, travel
from .factories import contact, flow, letter, text
from .memory import MemoryChannel, outbox
from .playing import FlowRun, StagedFlow, play

__all__ = [
    "MONDAY",
    "Clock",
    "FlowRun",
    "MemoryChannel",
    "SentLetter",
    "StagedFlow",
    "assert_not_sent",
    "assert_sent",
    "contact",
    "flow",
    "letter",
    "outbox",
    "play",
    "text",
    "travel",
]
