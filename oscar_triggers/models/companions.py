"""What is bought together, counted from the shop's own orders."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel


class ProductPair(PrimaryModel):
    """How many orders hold both products; of variants, the products that they belong to.

    Each pair stands here twice, once from either side; only a product's best ones are kept.
    """

    product_id = models.BigIntegerField()
    companion_id = models.BigIntegerField()
    #: Number of orders, not of pieces.
    count = models.PositiveIntegerField()
    computed_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "products bought together")
        verbose_name_plural = pgettext_lazy("triggers", "products bought together")
        constraints = [
            models.UniqueConstraint(
                fields=["product_id", "companion_id"], name="triggers_pair_once"
            )
        ]
        indexes = [models.Index(fields=["product_id", "-count"], name="triggers_pair_best")]

    def __str__(self) -> str:
        return f"{self.product_id} with {self.companion_id}"
