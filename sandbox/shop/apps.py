"""The sandbox's own app."""

from __future__ import annotations

from django.apps import AppConfig


class SandboxShopConfig(AppConfig):
    """Commands that fill the shop, age it and catch its mail."""

    name = "sandbox.shop"
    label = "sandbox_shop"
    verbose_name = "Sandbox"
