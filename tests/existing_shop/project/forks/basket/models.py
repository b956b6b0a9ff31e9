"""Oscar's models, one with a column of this shop's own."""

from django.db import models
from oscar.apps.basket.abstract_models import AbstractBasket


class Basket(AbstractBasket):
    """Knows one thing more."""

    gift_note = models.CharField(max_length=80, blank=True, default="")


from oscar.apps.basket.models import *  # noqa: E402, F403 — Oscar wants its models last
