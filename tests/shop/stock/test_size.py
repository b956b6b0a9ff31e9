"""What stays cheap in a large shop: PostgreSQL's plans over hundreds of thousands of rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.models import StockChange
from oscar_triggers.shop import baskets
from oscar_triggers.shop.baskets import Thresholds
from oscar_triggers.shop.stock import sweep

from .conftest import Watch

pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.slow]

HOUR = timedelta(hours=1)
BASKETS = 300_000


def _fill(product: Any, owner: Any) -> None:
    """Write a year of baskets with a line each; one in three is a member's, one in fifty open."""
    record = product.stockrecords.get()
    with connection.cursor() as cursor:
        # Foreign keys are right by construction.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO basket_basket (id, owner_id, status, date_created) "
            "SELECT n, CASE WHEN n %% 3 = 0 THEN %s END, "
            "CASE WHEN n %% 50 = 0 THEN 'Open' ELSE 'Submitted' END, "
            "now() - n * interval '100 seconds' FROM generate_series(1, %s) n",
            [owner.pk, BASKETS],
        )
        cursor.execute(
            "INSERT INTO basket_line (basket_id, line_reference, product_id, stockrecord_id, "
            "quantity, price_currency, date_created, date_updated) "
            "SELECT n, 'only', %s, %s, 1, 'EUR', now() - n * interval '100 seconds', "
            "now() - n * interval '100 seconds' FROM generate_series(1, %s) n",
            [product.pk, record.pk, BASKETS],
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        cursor.execute("ANALYZE basket_basket")
        cursor.execute("ANALYZE basket_line")


def _plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_left_baskets_are_found_by_an_index_among_many(product: Any, member: Any) -> None:
    _fill(product, member)
    now: datetime = timezone.now()
    with CaptureQueriesContext(connection) as queries:
        ids = baskets._ids_to_look_at(
            Thresholds(idles={HOUR: 24 * HOUR}), now - timedelta(seconds=30), now
        )
    found = get_model("basket", "Line").objects.filter(
        date_updated__gte=now - baskets.OVERLAP, basket__status="Open", basket__owner=member
    )
    assert ids == list(found.values_list("basket_id", flat=True))
    plans = [_plan(query["sql"]) for query in queries.captured_queries]
    about_lines = [plan for plan in plans if "basket_line" in plan]
    assert about_lines, plans
    for plan in about_lines:
        assert "Seq Scan on basket_line" not in plan, plan
        assert "Seq Scan on basket_basket" not in plan, plan
        assert "Index" in plan, plan


def test_a_sweep_over_many_records_reads_them_in_a_few_statements(
    watch: Watch,
    product: Any,
    django_assert_max_num_queries: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweep, "SECONDS", 600.0)
    record = product.stockrecords.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO partner_stockrecord (product_id, partner_id, partner_sku, "
            "price_currency, price, num_in_stock, date_created, date_updated) "
            "SELECT %s, %s, 'many-' || n, 'EUR', 10, n %% 5, now(), now() "
            "FROM generate_series(1, 60000) n",
            [product.pk, record.partner_id],
        )
    assert watch.look() == []
    model = get_model("partner", "StockRecord")
    cheaper = model.objects.filter(partner_sku__endswith="000").update(price=9)
    with django_assert_max_num_queries(50):
        assert len(watch.look()) == cheaper == 60
    assert StockChange.objects.filter(cause="price", price_after=9).count() == 60
