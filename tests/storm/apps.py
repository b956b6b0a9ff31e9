"""Apps that a storm puts into the shop."""

from __future__ import annotations

from django.apps import AppConfig


class Poison(AppConfig):
    """Has one letter kill whoever is about to hand it over."""

    name = "tests.storm"
    label = "storm_poison"

    def ready(self) -> None:
        """Listen to every letter."""
        from oscar_triggers import signals
        from tests.storm.poison import drink

        signals.message_sending.connect(drink)
