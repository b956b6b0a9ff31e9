"""The menu: flows, templates, messages."""
