"""The sandbox's shop is full, the same everywhere, and stands on the schema of the migrations."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.sandbox.processes import sandbox_environment

# They share a shop that takes long to fill.
pytestmark = pytest.mark.xdist_group("load")


def manage(var: Path, *arguments: str, **environment: str) -> str:
    """Run a command of the sandbox in a folder of its own and return what it says."""
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=sandbox_environment(var, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sandbox that was filled once."""
    var = tmp_path_factory.mktemp("sandbox")
    manage(var, "sandbox_load")
    return var


@pytest.fixture
def rows(loaded: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to the filled sandbox's database."""
    with closing(sqlite3.connect(loaded / "shop.sqlite3")) as connection:
        yield connection


def one(rows: sqlite3.Connection, query: str) -> int:
    """Return the single number that a query selects."""
    return int(rows.execute(query).fetchone()[0])


@pytest.mark.slow
def test_the_shop_is_full(rows: sqlite3.Connection, loaded: Path) -> None:
    assert one(rows, "select count(*) from catalogue_product where structure != 'child'") >= 60
    assert one(rows, "select count(*) from partner_partner") == 2
    assert one(rows, "select count(*) from auth_user") >= 300
    statuses = {row[0] for row in rows.execute("select distinct status from basket_basket")}
    assert statuses == {"Open", "Submitted", "Merged", "Frozen"}
    assert one(rows, "select count(*) from order_order") > 300
    pictures = [path for path in (loaded / "media").rglob("*.jpg") if path.stat().st_size > 3000]
    assert len(pictures) >= 60


@pytest.mark.slow
def test_its_past_is_ninety_days_long(rows: sqlite3.Connection) -> None:
    days = "julianday('now') - julianday(min(date_created))"
    assert 80 <= one(rows, f"select {days} from basket_basket") <= 91
    assert one(rows, "select count(*) from basket_line where date_updated < date_created") == 0


@pytest.mark.slow
def test_the_flows_that_ship_are_live_and_mail_nobody_of_the_past(rows: sqlite3.Connection) -> None:
    live = {
        row[0] for row in rows.execute("select key from oscar_triggers_flow where state='live'")
    }
    assert live >= {"abandoned-basket", "back-in-stock", "price-drop", "thanks", "review-request"}
    assert one(rows, "select count(*) from oscar_triggers_enrollment") == 0


@pytest.mark.slow
def test_a_newcomer_finds_something_to_wait_for_to_wish_and_to_review(
    rows: sqlite3.Connection,
) -> None:
    titles = rows.execute(
        "select p.title from catalogue_product p"
        " join partner_stockrecord s on s.product_id = p.id and s.num_in_stock = 0"
        " join wishlists_line l on l.product_id = p.id"
        " join wishlists_wishlist w on w.id = l.wishlist_id"
        " join auth_user u on u.id = w.owner_id where u.username = 'customer'"
    )
    assert "Storm lantern, moss" in {row[0] for row in titles}
    statuses = rows.execute(
        "select o.status, count(*) from order_order o join auth_user u on u.id = o.user_id"
        " join order_line l on l.order_id = o.id where u.username = 'customer' group by o.status"
    )
    bought = dict(statuses.fetchall())
    assert (bought["Delivered"], bought["Shipped"]) == (2, 1)


@pytest.mark.slow
def test_a_second_run_changes_nothing(loaded: Path, rows: sqlite3.Connection) -> None:
    tables = ("catalogue_product", "basket_basket", "oscar_triggers_consentevent",
              "oscar_triggers_flowversion", "oscar_triggers_templateversion")  # fmt: skip
    before = [one(rows, f"select count(*) from {table}") for table in tables]

    assert "filled already" in manage(loaded, "sandbox_load")

    assert [one(rows, f"select count(*) from {table}") for table in tables] == before


@pytest.mark.slow
def test_the_same_shop_stands_on_every_machine(loaded: Path, tmp_path: Path) -> None:
    manage(tmp_path, "sandbox_load", "--no-presets")
    query = "select title, structure from catalogue_product order by id"
    lines = "select product_id, quantity from basket_line order by id"
    with (
        closing(sqlite3.connect(loaded / "shop.sqlite3")) as first,
        closing(sqlite3.connect(tmp_path / "shop.sqlite3")) as second,
    ):
        assert first.execute(query).fetchall() == second.execute(query).fetchall()
        assert first.execute(lines).fetchall() == second.execute(lines).fetchall()


def schema_of(path: Path) -> dict[str, set[tuple[str, str, int]]]:
    """Return name, type and NOT NULL of every column by table."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        return {
            table: {
                (name, kind.lower(), not_null)
                for _, name, kind, not_null, *_ in connection.execute(f"pragma table_info({table})")
            }
            for (table,) in tables.fetchall()
        }


def rows_of(path: Path, query: str) -> set[tuple[str, ...]]:
    """Return the rows that a query selects."""
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute(query).fetchall())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quick_schema_is_the_one_that_the_migrations_make(loaded: Path, tmp_path: Path) -> None:
    manage(tmp_path, "migrate", "--verbosity=0")
    manage(tmp_path, "migrate", "--check")
    manage(loaded, "migrate", "--check")

    migrated, quick = schema_of(tmp_path / "shop.sqlite3"), schema_of(loaded / "shop.sqlite3")
    assert {name for name in migrated if not name.startswith("sqlite_")} == {
        name for name in quick if not name.startswith("sqlite_")
    }
    ours = [name for name in migrated if name.startswith(("oscar_triggers_", "wagtail_triggers_"))]
    assert ours
    for name in ours:
        assert quick[name] == migrated[name], name

    for query in (
        "select g.name, p.codename, c.depth from wagtailcore_groupcollectionpermission x"
        " join auth_group g on g.id = x.group_id join auth_permission p on p.id = x.permission_id"
        " join wagtailcore_collection c on c.id = x.collection_id",
        "select g.name, p.codename, w.depth from wagtailcore_grouppagepermission x"
        " join auth_group g on g.id = x.group_id join auth_permission p on p.id = x.permission_id"
        " join wagtailcore_page w on w.id = x.page_id",
        "select g.name, p.codename, c.app_label from auth_group_permissions x"
        " join auth_group g on g.id = x.group_id join auth_permission p on p.id = x.permission_id"
        " join django_content_type c on c.id = p.content_type_id where g.name like 'Trigger %'",
        "select depth, slug from wagtailcore_page",
        "select name, depth from wagtailcore_collection",
        "select name from sqlite_master where type = 'trigger'",
    ):
        quick_rows, migrated_rows = (
            rows_of(folder / "shop.sqlite3", query) for folder in (loaded, tmp_path)
        )
        assert not quick_rows ^ migrated_rows, query


@pytest.mark.slow
@pytest.mark.postgres
def test_the_shop_is_filled_on_postgresql_too(database_url: str, tmp_path: Path) -> None:
    assert "done" in manage(tmp_path, "sandbox_load", DATABASE_URL=database_url)
    assert any((tmp_path / "media").iterdir())
