"""Oscar's models, one with a column of this shop's own."""

from django.db import models
from oscar.apps.partner.abstract_models import AbstractStockRecord


class StockRecord(AbstractStockRecord):
    """Knows one thing more."""

    shelf = models.CharField(max_length=80, blank=True, default="")


from oscar.apps.partner.models import *  # noqa: E402, F403 — Oscar wants its models last
