"""Oscar's models, one with a column of this shop's own."""

from django.db import models
from oscar.apps.catalogue.abstract_models import AbstractProduct


class Product(AbstractProduct):
    """Knows one thing more."""

    maker = models.CharField(max_length=80, blank=True, default="")


from oscar.apps.catalogue.models import *  # noqa: E402, F403 — Oscar wants its models last
