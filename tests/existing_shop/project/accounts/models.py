"""Accounts known by their e-mail address and numbered by a UUID."""

from __future__ import annotations

import uuid

from django.db import models
from oscar.apps.customer.abstract_models import AbstractUser


class User(AbstractUser):  # type: ignore[misc]  # Oscar ships no types
    """A customer or a colleague."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    favourite_colour = models.CharField(max_length=40, blank=True)
