"""Oscar's admin for the forked models."""

from oscar.apps.partner.admin import *  # noqa: F403 — as oscar_fork_app writes it
