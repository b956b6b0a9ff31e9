"""However a shop changes stock and prices, one look journals what became of them, once."""

from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import RequestFactory
from oscar.core.loading import get_model

from oscar_triggers.models import Pulse, StockChange, StockMark, StockSnapshot
from oscar_triggers.shop.stock import marks, sweep
from tests.shopping import make_product

from .conftest import Watch, record_of, records_of, told

pytestmark = pytest.mark.django_db

TWELVE, TEN = Decimal("12.50"), Decimal("10.00")


def _price(after: Decimal, before: Decimal = TWELVE, available: int | None = 10) -> Any:
    return ("price", (True, available), (True, available), before, after)


def _stock(before: Any, after: Any, price: Decimal = TWELVE) -> Any:
    return ("stock", before, after, price, price)


@pytest.fixture
def silent() -> Any:
    """Make the shop tell nothing: only the sweep can see what happens."""
    marks.disconnect()
    yield
    marks.connect()


@pytest.fixture
def seen(watch: Watch, product: Any) -> Watch:
    """Return the sweep after its first look at a shop with one mug."""
    assert watch.look() == []
    return watch


# ── The first look ───────────────────────────────────────────────────────────────────────────────


def test_the_first_look_at_a_shop_notes_what_is_there_and_tells_nothing(
    watch: Watch, product: Any, other_product: Any
) -> None:
    assert watch.look() == []
    snapshot = StockSnapshot.objects.get(product_id=product.pk)
    assert (snapshot.num_available, snapshot.is_available) == (10, True)
    assert (snapshot.price, snapshot.currency) == (TWELVE, settings.OSCAR_DEFAULT_CURRENCY)
    assert StockSnapshot.objects.count() == 2
    assert watch.look() == [], "nothing changed since"


def test_what_is_new_after_the_first_look_is_told(seen: Watch) -> None:
    tent = make_product("Ridge tent", price=TEN, num_in_stock=3)
    [line] = seen.look()
    assert told([line]) == [("new", (False, None), (True, 3), None, TEN)]
    assert (line.product_id, line.stock_record_id) == (tent.pk, record_of(tent).pk)
    assert line.noticed_at == seen.now


# ── The tables of silent and loud changes ────────────────────────────────────────────────────────


def test_save_tells_a_price(seen: Watch, product: Any) -> None:
    record = record_of(product)
    record.price = TEN
    record.save()
    assert told(seen.look()) == [_price(TEN)]


def test_save_of_some_fields_tells_stock(seen: Watch, product: Any) -> None:
    record = record_of(product)
    record.num_in_stock = 0
    record.save(update_fields=["num_in_stock"])
    assert told(seen.look()) == [_stock((True, 10), (False, 0))]


def test_save_that_changes_nothing_tells_nothing(seen: Watch, product: Any) -> None:
    record_of(product).save()
    product.save()
    assert seen.look() == []


@pytest.mark.usefixtures("silent")
def test_update_is_seen(seen: Watch, product: Any) -> None:
    records_of(product).update(price=TEN)
    assert told(seen.look()) == [_price(TEN)]
    assert seen.look() == []


@pytest.mark.usefixtures("silent")
def test_bulk_update_as_of_odin_imports_is_seen(seen: Watch, product: Any) -> None:
    record = record_of(product)
    record.price, record.num_in_stock = TEN, 4
    get_model("partner", "StockRecord").objects.bulk_update([record], ["price", "num_in_stock"])
    assert told(seen.look()) == [("price", (True, 10), (True, 4), TWELVE, TEN)]


@pytest.mark.usefixtures("silent")
def test_bulk_create_is_seen(seen: Watch, other_product: Any) -> None:
    seen.look()
    model = get_model("partner", "StockRecord")
    old = record_of(other_product)
    model.objects.bulk_create(
        [
            model(
                product=other_product,
                partner=old.partner,
                partner_sku=f"bulk-{number}",
                price=TEN,
                price_currency="EUR",
                num_in_stock=number,
            )
            for number in range(2)
        ]
    )
    assert told(seen.look()) == [
        ("new", (False, None), (False, 0), None, TEN),
        ("new", (False, None), (True, 1), None, TEN),
    ]


@pytest.mark.usefixtures("silent")
def test_raw_sql_is_seen(seen: Watch, product: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE partner_stockrecord SET num_in_stock = 1")
    assert told(seen.look()) == [_stock((True, 10), (True, 1))]


@pytest.mark.usefixtures("silent")
def test_the_dashboards_bulk_price_action_is_seen(seen: Watch, product: Any) -> None:
    from oscar.apps.dashboard.catalogue.bulk_actions import SetProductPriceAction
    from oscar.apps.dashboard.catalogue.forms import SetProductPriceForm
    from oscar.test.factories import UserFactory

    request = RequestFactory().post("/")
    request.user = UserFactory(is_staff=True)
    request._messages = type("Nowhere", (), {"add": lambda *_args, **_kwargs: None})()
    goods = get_model("catalogue", "Product").objects.filter(pk=product.pk)
    form = SetProductPriceForm(
        {
            "selected_products": [product.pk],
            "increase_by_percentage": "-20",
            "partners": [record_of(product).partner_id],
            "confirm": "on",
        },
        products_queryset=goods,
        user=request.user,
    )
    form.is_valid()
    SetProductPriceAction().execute(request, goods, form)
    assert told(seen.look()) == [_price(TEN)]
    assert seen.look() == [], "a price that SQLite computed is no change each time"


def test_a_csv_import_is_seen(seen: Watch, product: Any, tmp_path: Path) -> None:
    from oscar.apps.partner.importers import CatalogueImporter

    product.upc = "5014016150821"
    product.save()
    record = record_of(product)
    path = tmp_path / "goods.csv"
    path.write_text(
        f"Gear,Kitchen,{product.upc},Enamel mug,A mug,"
        f"{record.partner.name},{record.partner_sku},10.00,7\n",
        encoding="utf-8",
    )
    CatalogueImporter(logging.getLogger("tests")).handle(str(path))
    assert told(seen.look()) == [("price", (True, 10), (True, 7), TWELVE, TEN)]


def test_stock_is_what_is_not_allocated(seen: Watch, product: Any) -> None:
    record = record_of(product)
    record.allocate(10)
    assert told(seen.look()) == [_stock((True, 10), (False, 0))]
    record.consume_allocation(4)
    assert seen.look() == [], "what is sent out was not free before"
    record.cancel_allocation(2)
    assert told(seen.look()) == [_stock((False, 0), (True, 2))]
    record.allocate(5)
    assert told(seen.look()) == [_stock((True, 2), (False, -3))]


def test_a_stale_instance_tells_no_price(seen: Watch, product: Any) -> None:
    stale = record_of(product)
    records_of(product).update(price=TEN)
    assert told(seen.look()) == [_price(TEN)]
    stale.allocate(1)
    assert stale.price == TWELVE, "the instance is stale, or the test shows nothing"
    assert told(seen.marked()) == [_stock((True, 10), (True, 9), price=TEN)]


@pytest.mark.usefixtures("silent")
def test_showing_and_hiding_a_product_is_told(seen: Watch, product: Any) -> None:
    products = get_model("catalogue", "Product").objects.filter(pk=product.pk)
    products.update(is_public=False)
    assert told(seen.look()) == [("public", (True, 10), (False, 10), TWELVE, TWELVE)]
    products.update(is_public=True)
    assert told(seen.look()) == [("public", (False, 10), (True, 10), TWELVE, TWELVE)]


@pytest.mark.usefixtures("silent")
def test_no_longer_counting_stock_makes_available(seen: Watch, product: Any) -> None:
    records_of(product).update(num_in_stock=None)
    assert told(seen.look()) == [_stock((True, 10), (False, 0))]
    get_model("catalogue", "ProductClass").objects.update(track_stock=False)
    assert told(seen.look()) == [_stock((False, 0), (True, None))]
    get_model("catalogue", "ProductClass").objects.update(track_stock=True)
    assert told(seen.look()) == [_stock((True, None), (False, 0))]


@pytest.mark.usefixtures("silent")
def test_without_a_price_nothing_is_available(seen: Watch, product: Any) -> None:
    records_of(product).update(price=None)
    assert told(seen.look()) == [("price", (True, 10), (False, 10), TWELVE, None)]
    records_of(product).update(price=TEN)
    assert told(seen.look()) == [("price", (False, 10), (True, 10), None, TEN)]


@pytest.mark.usefixtures("silent")
def test_a_price_in_another_currency_is_not_compared(seen: Watch, product: Any) -> None:
    records_of(product).update(price_currency="USD")
    [line] = seen.look()
    assert told([line]) == [("price", (True, 10), (True, 10), None, TWELVE)]
    assert line.currency == "USD"


@pytest.mark.parametrize("marked", [True, False])
def test_a_deleted_record_is_gone(
    seen: Watch, product: Any, marked: bool, request: pytest.FixtureRequest
) -> None:
    if not marked:
        request.getfixturevalue("silent")
    record_of(product).delete()
    lines = seen.marked() if marked else seen.look()
    assert told(lines) == [("gone", (True, 10), (False, 0), TWELVE, None)]
    assert not StockSnapshot.objects.exists()
    assert seen.look() == []


def test_a_deleted_product_is_gone(seen: Watch, product: Any) -> None:
    product.delete()
    assert [line.cause for line in seen.look()] == ["gone"]


@pytest.mark.usefixtures("silent")
def test_each_partners_record_is_told_apart(seen: Watch, product: Any) -> None:
    from oscar.test import factories

    second = factories.create_stockrecord(
        product, price=TEN, num_in_stock=0, partner_name="Leeds", partner_sku="leeds"
    )
    assert [line.stock_record_id for line in seen.look()] == [second.pk]
    type(second).objects.filter(pk=second.pk).update(num_in_stock=5)
    [line] = seen.look()
    assert (line.stock_record_id, line.product_id) == (second.pk, product.pk)
    assert told([line]) == [_stock((False, 0), (True, 5), price=TEN)]


@pytest.mark.usefixtures("silent")
def test_a_variant_names_its_parent_and_is_hidden_with_it(watch: Watch) -> None:
    from oscar.test import factories

    parent = factories.create_product(title="Shirt", product_class="Gear", structure="parent")
    small = make_product("Small", price=TEN, num_in_stock=2, parent=parent)
    watch.look()
    records_of(small).update(num_in_stock=0)
    [line] = watch.look()
    assert (line.product_id, line.parent_id) == (small.pk, parent.pk)
    records_of(small).update(num_in_stock=2)
    watch.look()
    get_model("catalogue", "Product").objects.filter(pk=parent.pk).update(is_public=False)
    assert told(watch.look()) == [("public", (True, 2), (False, 2), TEN, TEN)]


# ── Marks ────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_saved_is_seen_in_the_next_tick(seen: Watch, product: Any) -> None:
    record = record_of(product)
    record.num_in_stock = 0
    record.save()
    assert told(seen.marked()) == [_stock((True, 10), (False, 0))]
    assert not StockMark.objects.exists()


def test_a_parent_that_is_hidden_marks_its_variants(watch: Watch) -> None:
    from oscar.test import factories

    parent = factories.create_product(title="Shirt", product_class="Gear", structure="parent")
    make_product("Small", price=TEN, num_in_stock=2, parent=parent)
    watch.look()
    parent.is_public = False
    parent.save()
    assert [line.cause for line in watch.marked()] == ["public"]


def test_a_save_costs_one_query_more(
    watch: Watch, product: Any, django_assert_num_queries: Any
) -> None:
    from oscar_triggers.shop.receivers import failures
    from tests.shop.conftest import commit

    record = record_of(product)
    commit()
    with django_assert_num_queries(1):
        marks.note_stock(sender=type(record), instance=record)
        marks.note_stock(sender=type(record), instance=record)
        connection.run_on_commit, waiting = [], connection.run_on_commit[:1]
        waiting[0][1]()
    assert StockMark.objects.get().stock_record_id == record.pk
    assert not failures["note_stock"]


def test_a_broken_mark_never_reaches_the_shop(
    seen: Watch, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(marks, "upsert", fail)
    record = record_of(product)
    record.num_in_stock = 3
    record.save()
    assert told(seen.look()) == [_stock((True, 10), (True, 3))], "the sweep sees it"


def test_marks_before_the_first_look_wait_for_it(watch: Watch, product: Any) -> None:
    record_of(product).save()
    assert watch.look() == []
    records_of(product).update(num_in_stock=1)
    assert told(watch.marked()) == [_stock((True, 10), (True, 1))], "the mark was kept"


# ── Pace ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("silent")
def test_a_pass_that_gives_way_goes_on_where_it_was(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "SLICE", 2)
    goods = [make_product(f"Mug {number}", price=TEN) for number in range(5)]
    watch.look()
    monkeypatch.setattr(sweep, "SECONDS", -1.0)
    get_model("partner", "StockRecord").objects.update(num_in_stock=0)
    numbers = [
        [line.product_id for line in watch.look(timedelta(seconds=31))],
        [line.product_id for line in watch.look(timedelta(seconds=5))],
        [line.product_id for line in watch.look(timedelta(seconds=5))],
    ]
    ids = [product.pk for product in goods]
    assert numbers == [ids[:2], ids[2:4], ids[4:]]
    pulse = Pulse.objects.get(name="sweep:stock")
    assert pulse.watermark == {}
    assert pulse.position_at == watch.now - timedelta(seconds=10), "when the pass began"
    assert watch.look(timedelta(seconds=5)) == [], "the next pass is not due yet"


@pytest.mark.usefixtures("silent")
def test_everything_is_looked_at_every_sweep_every(seen: Watch, product: Any) -> None:
    records_of(product).update(num_in_stock=0)
    assert seen.look(timedelta(seconds=29)) == []
    assert len(seen.look(timedelta(seconds=1))) == 1


@pytest.mark.usefixtures("silent")
def test_a_quiet_look_takes_the_same_few_queries_for_any_shop(
    watch: Watch, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make_product(f"Mug {number}", price=TEN)
    watch.look()
    with django_assert_max_num_queries(18):
        assert watch.look() == []


def test_what_changed_says_what_is_asked_for_it_now(seen: Watch, product: Any) -> None:
    records_of(product).update(price=TEN)
    [line] = seen.look()
    assert StockChange.objects.get(pk=line.pk).quoted_after == TEN
