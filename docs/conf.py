"""How the documentation is built: `sphinx-build -n -W docs docs/_build/html`."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads(
    (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)["project"]

project = _PROJECT["name"]
author = "The oscar_triggers founders"
copyright = f"2026, {author}"  # noqa: A001 — the name that Sphinx reads
release = _PROJECT["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "django-oscar-triggers"
html_static_path = ["_static"]
exclude_patterns = ["_build"]
highlight_language = "none"
nitpicky = True
