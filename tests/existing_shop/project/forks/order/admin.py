"""Oscar's admin for the forked models."""

from oscar.apps.order.admin import *  # noqa: F403 — as oscar_fork_app writes it
