"""Oscar's models, one with a column of this shop's own."""

from django.db import models
from oscar.apps.order.abstract_models import AbstractOrder


class Order(AbstractOrder):
    """Knows one thing more."""

    picked_by = models.CharField(max_length=80, blank=True, default="")


from oscar.apps.order.models import *  # noqa: E402, F403 — Oscar wants its models last
