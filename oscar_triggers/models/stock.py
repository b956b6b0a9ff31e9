"""Stock and prices as we last saw them, what changed since, and where to look first."""

from __future__ import annotations

from django.db import models
from django.utils.translation import pgettext_lazy

from .base import PrimaryModel


class StockSnapshot(PrimaryModel):
    """One stock record as the last sweep saw it; compared with the shop's table in one statement."""

    stock_record_id = models.BigIntegerField(unique=True)
    product_id = models.BigIntegerField(db_index=True)
    #: Of a variant: the product that it belongs to.
    parent_id = models.BigIntegerField(null=True, blank=True)
    #: In stock less what is allocated; NULL where the shop does not count.
    num_available = models.IntegerField(null=True, blank=True)
    #: Public, priced, and either not counted or more than none left.
    is_available = models.BooleanField()
    #: StockRecord.price, in the currency beside it, without tax.
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=12, blank=True)
    seen_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "stock as last seen")
        verbose_name_plural = pgettext_lazy("triggers", "stock as last seen")

    def __str__(self) -> str:
        return f"stock record {self.stock_record_id}"


class StockCause(models.TextChoices):
    """What a line of the journal of stock and prices is about."""

    NEW = "new", pgettext_lazy("triggers", "first seen")
    STOCK = "stock", pgettext_lazy("triggers", "stock")
    PRICE = "price", pgettext_lazy("triggers", "price")
    PUBLIC = "public", pgettext_lazy("triggers", "shown or hidden")
    OFFER = "offer", pgettext_lazy("triggers", "offer")
    GONE = "gone", pgettext_lazy("triggers", "removed")


class StockChange(PrimaryModel):
    """What changed of one stock record: the append-only journal of stock and prices."""

    stock_record_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    parent_id = models.BigIntegerField(null=True, blank=True)
    noticed_at = models.DateTimeField()
    cause = models.CharField(max_length=10, choices=StockCause.choices)
    available_before = models.IntegerField(null=True, blank=True)
    available_after = models.IntegerField(null=True, blank=True)
    was_available = models.BooleanField(default=False)
    is_available = models.BooleanField(default=False)
    #: StockRecord.price, without tax.
    price_before = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    price_after = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    #: What the shop asked from somebody who is not signed in, tax and site offers included; NULL
    #: where the shop's strategy could not say.
    quoted_after = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=12, blank=True)
    #: Set once those who wait for it were looked up.
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "change of stock or price")
        verbose_name_plural = pgettext_lazy("triggers", "changes of stock and prices")
        indexes = [
            models.Index(fields=["product_id", "noticed_at"], name="triggers_stock_product"),
            models.Index(fields=["noticed_at"], name="triggers_stock_noticed"),
            models.Index(
                fields=["id"], name="triggers_stock_untold", condition=models.Q(told_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause} of stock record {self.stock_record_id}"


class StockMark(PrimaryModel):
    """A stock record that was saved: the next tick looks at it without waiting for the sweep."""

    stock_record_id = models.BigIntegerField(unique=True)
    marked_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "marked stock record")
        verbose_name_plural = pgettext_lazy("triggers", "marked stock records")


class OfferSnapshot(PrimaryModel):
    """One of the shop's offers as the last sweep saw it: offers begin and end without a signal."""

    offer_id = models.BigIntegerField(unique=True)
    is_active = models.BooleanField()
    #: Hash of everything that changes a price.
    fingerprint = models.CharField(max_length=40)
    seen_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "offer as last seen")
        verbose_name_plural = pgettext_lazy("triggers", "offers as last seen")


class PriceSource(models.TextChoices):
    """Where a person saw a price; the first one says most about the wish to buy."""

    BASKET = "basket", pgettext_lazy("triggers", "in the basket")
    WISH = "wish", pgettext_lazy("triggers", "on a wish list")
    REQUEST = "request", pgettext_lazy("triggers", "asked to be told")
    VIEW = "view", pgettext_lazy("triggers", "looked at")
    MESSAGE = "message", pgettext_lazy("triggers", "told by us")


class PriceSeen(PrimaryModel):
    """The price of a product that a person last saw, and where."""

    contact = models.ForeignKey(
        "oscar_triggers.Contact", on_delete=models.CASCADE, related_name="prices_seen"
    )
    #: The variant, where it was one.
    product_id = models.BigIntegerField()
    source = models.CharField(max_length=10, choices=PriceSource.choices)
    #: As it was shown to this person, tax included where the shop knows it.
    price = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=12)
    seen_at = models.DateTimeField()
    site_id = models.IntegerField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "price that somebody saw")
        verbose_name_plural = pgettext_lazy("triggers", "prices that people saw")
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "product_id", "source"], name="triggers_price_seen_once"
            )
        ]
        indexes = [
            models.Index(fields=["product_id", "price"], name="triggers_price_product"),
            models.Index(fields=["seen_at"], name="triggers_price_seen_at"),
        ]
