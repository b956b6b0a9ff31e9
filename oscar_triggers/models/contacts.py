"""People we may write to, and the points by which to reach them."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.utils.translation import pgettext_lazy

from ..conf import triggers_settings
from .base import PrimaryModel


def point_hash(channel: str, normalised: str) -> str:
    """Return the keyed hash by which ledgers know a point after the point itself is erased.

    Keyed with OSCAR_TRIGGERS["POINT_KEY"] (SECRET_KEY unless given), so that a stolen ledger
    cannot be matched against lists of addresses.
    """
    secret = triggers_settings().point_key or settings.SECRET_KEY
    key = hashlib.sha256(b"oscar_triggers.point:" + secret.encode()).digest()
    return hashlib.blake2b(f"{channel}:{normalised}".encode(), key=key, digest_size=20).hexdigest()


def random_id() -> str:
    """Return 128 random bits as 22 URL-safe characters."""
    return secrets.token_urlsafe(16)


class Contact(PrimaryModel):
    """A person we may write to, customer or guest."""

    #: "user:5" or "email:<keyed hash>": makes finding-or-making one contact race-free.
    identity_key = models.CharField(max_length=80, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="trigger_contacts",
    )
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    language = models.CharField(max_length=20, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    #: What a shop knows beside these, by name: {"birthday": "1990-02-29", "size": "M"}.
    fields = models.JSONField(default=dict, blank=True)
    site_id = models.IntegerField(null=True, blank=True)
    #: Another contact that turned out to be the same person; this row is then a signpost.
    joined_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="joined_from"
    )
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "contact")
        verbose_name_plural = pgettext_lazy("triggers", "contacts")

    def __str__(self) -> str:
        return pgettext_lazy("triggers", "Contact %(number)s") % {"number": self.pk}


class ContactTag(PrimaryModel):
    """A word that staff or a flow put on a contact."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=60, db_index=True)
    created_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "tag")
        verbose_name_plural = pgettext_lazy("triggers", "tags")
        constraints = [
            models.UniqueConstraint(fields=["contact", "tag"], name="triggers_contact_tag_once")
        ]

    def __str__(self) -> str:
        return self.tag


class ContactPoint(PrimaryModel):
    """One way to reach a contact on one channel."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="points")
    channel = models.CharField(max_length=40)
    #: As the person wrote it.
    value = models.CharField(max_length=320)
    #: The one spelling of it (`channels.Channel.normalise`).
    normalised = models.CharField(max_length=320)
    point_hash = models.CharField(max_length=40, db_index=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta(PrimaryModel.Meta):
        verbose_name = pgettext_lazy("triggers", "contact point")
        verbose_name_plural = pgettext_lazy("triggers", "contact points")
        constraints = [
            models.UniqueConstraint(
                fields=["contact", "channel", "normalised"], name="triggers_point_once"
            )
        ]
        indexes = [models.Index(fields=["channel", "normalised"], name="triggers_point_lookup")]

    def __str__(self) -> str:
        return f"{self.channel} point {self.pk}"
