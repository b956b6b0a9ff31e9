"""The journal of stock and prices goes after a while, but not what is valid since."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from oscar_triggers.engine import pruning
from oscar_triggers.models import StockChange
from oscar_triggers.shop.stock.quoting import lowest_price

from .conftest import Watch, record_of, records_of

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def test_old_lines_go_but_the_newest_of_each_record(
    watch: Watch, product: Any, other_product: Any
) -> None:
    watch.look()
    for price in ("15.00", "11.00"):
        records_of(product).update(price=Decimal(price))
        watch.look(DAY)
    record_of(other_product).delete()
    watch.look(DAY)
    later = watch.now + 401 * DAY
    assert pruning.count(later)["stock"] == 2
    gone, is_done = pruning.prune(later)
    assert (gone["stock"], is_done) == (2, True)
    assert [line.price_after for line in StockChange.objects.all()] == [Decimal("11.00")]
    assert lowest_price([product.pk], "EUR", later - 30 * DAY) == {product.pk: Decimal("11.00")}


def test_what_an_honest_price_needs_is_kept(settings: Any) -> None:
    settings.OSCAR_TRIGGERS = {**settings.OSCAR_TRIGGERS, "RETENTION": {"stock": "30d"}}
    with pytest.raises(ImproperlyConfigured, match="at least '60d'"):
        pruning.lengths()
