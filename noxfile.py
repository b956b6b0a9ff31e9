"""The matrix: supported Pythons with their Djangos, on SQLite and PostgreSQL."""

from __future__ import annotations

import os

import nox

nox.options.default_venv_backend = "venv"

#: Python and the newest Django that it is tested with.
PAIRS = (("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1"))
DATABASES = {
    "sqlite": "",
    "postgres": os.environ.get("POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"),
}


@nox.session
@nox.parametrize("database", list(DATABASES))
@nox.parametrize(
    ("python", "django"), PAIRS, ids=[f"py{python}-dj{django}" for python, django in PAIRS]
)
def tests(session: nox.Session, django: str, database: str) -> None:
    """Run the tests on one Python, one Django, one database."""
    session.install("-e", ".[dev]", f"Django~={django}.0")
    url = DATABASES[database]
    environment = {"TEST_DATABASE_URL": url} if url else {}
    selected = [] if url else ["-m", "not postgres"]
    session.run("pytest", *selected, *session.posargs, env=environment)
