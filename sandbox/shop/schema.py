"""Builds the schema in seconds, as 301 migrations would leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL, SeparateDatabaseAndState
from django.db.migrations.recorder import MigrationRecorder

#: Where migrations make what models cannot say: a full-text table of SQLite with its triggers.
_SEARCH_MIGRATION = "wagtail.search.migrations.0006_customise_indexentry"
_SEARCH_TABLE = "wagtailsearch_indexentry_fts"


class _NoMigrations(dict[str, None]):
    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> None:
        return None


def exists(using: str = DEFAULT_DB_ALIAS) -> bool:
    """Tell whether migrations were recorded in the database."""
    return bool(MigrationRecorder(connections[using]).applied_migrations())


def build(say: Callable[[str], object], using: str = DEFAULT_DB_ALIAS) -> None:
    """Bring the database to the newest schema: at once when it is empty, by migrations otherwise.

    What data migrations insert is left to `foundation.lay`.
    """
    if exists(using):
        say("migrations")
        call_command("migrate", database=using, verbosity=0, interactive=False)
        return
    say("tables")
    with _without_migrations():
        call_command("migrate", database=using, run_syncdb=True, verbosity=0, interactive=False)
    _make_search_table(using)
    say("record of migrations")
    loader = MigrationLoader(connections[using])
    recorder = MigrationRecorder(connections[using])
    recorder.ensure_schema()
    names = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        # Django takes a squashed migration for applied only where all that it replaces are.
        names.update(tuple(replaced) for replaced in migration.replaces)
    recorder.migration_qs.bulk_create(
        recorder.Migration(app=app, name=name) for app, name in sorted(names)
    )


@contextmanager
def _without_migrations() -> Iterator[None]:
    before = settings.MIGRATION_MODULES
    settings.MIGRATION_MODULES = _NoMigrations()
    try:
        yield
    finally:
        settings.MIGRATION_MODULES = before


def _make_search_table(using: str) -> None:
    connection = connections[using]
    if connection.vendor != "sqlite" or not settings.WITH_WAGTAIL:
        return
    migration = import_module(_SEARCH_MIGRATION).Migration
    with connection.schema_editor() as editor:
        if _SEARCH_TABLE in connection.introspection.table_names():
            editor.execute(f"DROP TABLE {_SEARCH_TABLE}")
        for operation in migration.operations:
            if isinstance(operation, SeparateDatabaseAndState):
                for statement in operation.database_operations:
                    if isinstance(statement, RunSQL):
                        editor.execute(statement.sql)
