"""`docs/install.md` is followed word by word on a shop that was there before."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.existing_shop.reading import Block, blocks

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FORKS = ("basket", "catalogue", "order", "partner")
OURS = ("oscar_triggers_", "wagtail_triggers_")
GOOD_BYE = "To take it out again"
#: Written by `migrate` itself; and what our foreign keys point to.
KEPT_BY_DJANGO = {
    "django_migrations", "django_content_type", "auth_permission", "accounts_user",
}  # fmt: skip

# They share the shop that the page was followed on.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("existing_shop"),
]


@dataclass(kw_only=True)
class Installation:
    """The existing shop, and what was seen while the page was followed."""

    folder: Path
    #: What the shop's own processes find in their environment.
    environment: dict[str, str] = field(default_factory=dict)
    #: Output of each command of the page.
    said: dict[str, str] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    inert: dict[str, Any] = field(default_factory=dict)
    story: dict[str, Any] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """Run something in the shop's environment; return what it said."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DATABASE", "REDIS"))},
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "PYTHONWARNINGS": "ignore",
            **self.environment,
        }
        program = sys.executable if command[0] == "python" else command[0]
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def tell(self, chapter: str) -> Any:
        """Let a chapter of the story happen in the shop; return what it tells."""
        return json.loads(self.run("python", "-m", "tests.existing_shop", chapter).splitlines()[-1])

    def write(self, block: Block) -> None:
        """Put a block of the page where its caption says."""
        if block.language == "python":
            path = self.folder / "shop" / block.caption
            path.write_text(
                f"{path.read_text(encoding='utf-8')}\n\n{block.body}\n", encoding="utf-8"
            )
        else:
            self._write_template(block)

    def _write_template(self, block: Block) -> None:
        path = self.folder / block.caption
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(_oscar_template(block.caption), encoding="utf-8")
        place = "{% csrf_token %}" if "<form" in path.read_text(encoding="utf-8") else "<head>"
        head, found, rest = path.read_text(encoding="utf-8").partition(place)
        assert found, f"{block.caption} has no {place}"
        path.write_text(f"{head}{found}\n{block.body}\n{rest}", encoding="utf-8")


def _oscar() -> Path:
    spec = find_spec("oscar")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _oscar_template(caption: str) -> str:
    return (_oscar() / caption).read_text(encoding="utf-8")


def _existing_shop(folder: Path, **environment: str) -> Installation:
    """Make the shop as it was: its forks get Oscar's migrations, as oscar_fork_app copies them."""
    shutil.copytree(HERE / "project", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FORKS:
        shutil.copytree(
            _oscar() / "apps" / name / "migrations",
            folder / "forks" / name / "migrations",
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__init__.py", "__pycache__"),
        )
    installation = Installation(folder=folder, environment=environment)
    installation.run("python", "-m", "tests.existing_shop.as_it_was")
    return installation


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return the shop after everything that the page says was done, in its order."""
    installation = _existing_shop(tmp_path_factory.mktemp("existing") / "shop")
    installation.before = _schema_alone(installation)
    for block in blocks("install.md"):
        if block.caption == GOOD_BYE:
            break
        if block.language != "console":
            installation.write(block)
            continue
        for command in block.commands:
            _type(installation, command)
    installation.story = installation.tell("baskets")
    return installation


def _schema_alone(installation: Installation) -> dict[str, Any]:
    """Dump the schema before our app is installed: by SQLite itself."""
    with sqlite3.connect(installation.folder / "shop.sqlite3") as database:
        rows = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return {
        f"{kind} {name}": statement or ""
        for kind, name, table, statement in rows
        if not table.startswith("sqlite_")
    }


def _type(installation: Installation, command: list[str]) -> None:
    """Type a command of the page, and look around where the story wants it."""
    if command[:4] == ["python", "-m", "pip", "install"]:
        installation.said["pip"] = command[4]
        return
    said = installation.run(*command)
    installation.said[" ".join(command[2:])] = said
    if command[2] == "triggers_doctor":
        installation.after = installation.tell("look")
        installation.inert = installation.tell("inert")


def test_the_package_that_the_page_names_is_this_one(shop: Installation) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, _, extras = shop.said["pip"].partition("[")
    assert name == project["name"]
    assert set(extras.rstrip("]").split(",")) <= set(project["optional-dependencies"])


def test_nothing_of_the_shops_own_tables_changes(shop: Installation) -> None:
    assert len(shop.before) > 200
    assert shop.after["schema"] == dict(sorted(shop.before.items()))


def test_no_foreign_key_points_from_us_to_oscar(shop: Installation) -> None:
    ours = shop.after["references"]
    assert len(ours) > 10
    others = {
        target
        for table, targets in ours.items()
        for target in targets
        if not target.startswith(OURS)
    }
    of_the_engine = {t for table, ts in ours.items() if table.startswith("oscar_") for t in ts}
    assert {t for t in of_the_engine if not t.startswith("oscar_triggers_")} == {"accounts_user"}
    assert all(name == "accounts_user" or name.startswith("wagtail") for name in others), others


def test_no_statement_of_the_migrations_touches_a_table_of_oscar(shop: Installation) -> None:
    for app, name in [("oscar_triggers", "0001"), ("wagtail_triggers", "0001")]:
        statements = shop.run("python", "manage.py", "sqlmigrate", app, name)
        touched = set(re.findall(r'(?:ALTER|CREATE|DROP) TABLE "(\w+)"', statements))
        touched |= set(re.findall(r'INDEX "\w+" ON "(\w+)"', statements))
        assert touched
        assert all(table.removeprefix("new__").startswith(OURS) for table in touched), touched


def test_the_doctor_finds_the_settings_complete(shop: Installation) -> None:
    said = shop.said["triggers_doctor"]
    assert "wrong" not in said
    assert "Inert" in said


def test_it_is_inert_until_something_is_published(shop: Installation) -> None:
    assert set(shop.inert["rows_after_a_tick"]) == {
        "oscar_triggers.Installation",
        "oscar_triggers.Pulse",
        # What stock and prices are is noted from the first day: the law asks for the lowest of
        # thirty days (Directive 98/6/EC, 6a), and nobody is told anything by it.
        "oscar_triggers.StockSnapshot",
    }
    after = set(shop.inert["rows_after_shopping"])
    assert not after & {
        "oscar_triggers.Enrollment",
        "oscar_triggers.Message",
        "oscar_triggers.Dispatch",
        "oscar_triggers.Flow",
    }
    assert shop.inert["letters"] == 0


def test_the_shops_beat_rings_and_its_worker_ticks_by_the_shops_rules(shop: Installation) -> None:
    for ring in shop.story["rings"]:
        assert ring["task"] == "oscar_triggers.tasks.tick"
        assert ring["queue"] == "shop", "the shop's default queue"
        assert ring["content_type"] == "application/x-yaml", "the shop's serializer"
        assert ring["expires"]


def test_two_people_who_left_a_basket_at_two_sites_get_a_letter_each(shop: Installation) -> None:
    letters = {letter["to"][0]: letter for letter in shop.story["letters"]}
    assert shop.story["journal_errors"] == []
    assert set(letters) == {"anna@example.com", "guest@example.com"}, shop.story["rows"]
    assert len(shop.story["letters"]) == 2
    member, guest = letters["anna@example.com"], letters["guest@example.com"]

    assert member["from"] == "The Example Shop <hello@shop.example>"
    assert member["reply_to"] == ["Mary <mary@shop.example>"]
    assert member["unsubscribe"].startswith("<https://shop.example/t/u/")
    assert "https://shop.example/t/b/" in member["html"]
    assert "outlet.example" not in member["html"] + member["text"]

    assert guest["from"] == "The Outlet <hello@outlet.example>"
    assert guest["reply_to"] == []
    assert guest["unsubscribe"].startswith("<https://outlet.example/t/u/")
    assert "https://outlet.example/t/b/" in guest["html"]
    assert "The Outlet" in guest["text"]
    assert "//shop.example" not in guest["html"] + guest["text"]

    for letter in letters.values():
        assert "Enamel mug" in letter["html"]
        assert "£12.50" in letter["html"]


def test_anymail_gets_metadata_and_tags_and_no_personal_data(shop: Installation) -> None:
    for letter in shop.story["letters"]:
        assert set(letter["metadata"]) == {"message", "flow"}
        assert letter["tags"] == [letter["metadata"]["flow"]]
        assert letter["to"][0] not in json.dumps(letter["metadata"])


def test_the_link_back_works(shop: Installation) -> None:
    assert shop.story["links"] == [200, 200]


def test_taken_out_again_nothing_is_left(shop: Installation) -> None:
    [block] = [block for block in blocks("install.md") if block.caption == GOOD_BYE]
    for command in block.commands:
        shop.run(*command)
    assert _schema_alone(shop) == shop.before


# ── On PostgreSQL ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def empty_database() -> Iterator[dict[str, Any]]:
    """Return how to reach an empty database on the tests' PostgreSQL server."""
    import psycopg

    parts = urlsplit(os.environ["TEST_DATABASE_URL"])
    name = f"existing_shop_{os.getpid()}"
    reach = {
        "HOST": parts.hostname or "127.0.0.1",
        "PORT": parts.port or 5432,
        "USER": parts.username or "postgres",
        "PASSWORD": parts.password or "",
    }
    server = {name.lower().replace("name", "dbname"): value for name, value in reach.items()}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {**reach, "NAME": name}
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.mark.postgres
def test_migrating_locks_no_table_of_oscar_against_its_visitors(
    tmp_path: Path, empty_database: dict[str, Any]
) -> None:
    import psycopg

    shop = _existing_shop(tmp_path / "shop", EXISTING_SHOP_POSTGRES=json.dumps(empty_database))
    for block in blocks("install.md"):
        if block.language == "python":
            shop.write(block)
    with psycopg.connect(
        host=empty_database["HOST"],
        port=empty_database["PORT"],
        user=empty_database["USER"],
        password=empty_database["PASSWORD"],
        dbname=empty_database["NAME"],
    ) as visitors:
        before = _definitions(visitors)
        tables = sorted({table for table, _what in before} - KEPT_BY_DJANGO)
        tables = [table for table in tables if not table.startswith("wagtail")]
        assert len(tables) > 80
        # As much as people hold who read and write the shop's tables at that moment.
        visitors.execute(f"LOCK TABLE {', '.join(tables)} IN ROW EXCLUSIVE MODE")
        shop.run("python", "manage.py", "migrate")
        visitors.rollback()
        after = {one for one in _definitions(visitors) if not one[0].startswith(OURS)}
    assert after == before


def _definitions(connection: Any) -> set[tuple[str, str]]:
    """Return (table, what) for each column, index and constraint of a database."""
    rows = connection.execute(
        """
        SELECT table_name, column_name || ' ' || data_type || ' ' || is_nullable
          FROM information_schema.columns WHERE table_schema = 'public'
        UNION SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION SELECT conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        """
    ).fetchall()
    connection.commit()
    return set(rows)
