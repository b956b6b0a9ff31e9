"""What all rows share: reads go to the database that is written to."""

from __future__ import annotations

from typing import TypeVar

from django.db import models, router

M = TypeVar("M", bound=models.Model, covariant=True)


class PrimaryManager(models.Manager[M]):
    """Reads from the primary, even where a router sends other reads to a replica.

    A lagging replica must not cause a letter after a purchase.
    """

    def get_queryset(self) -> models.QuerySet[M]:
        """Return a queryset on the database that this model is written to."""
        queryset = super().get_queryset()
        return queryset if self._db else queryset.using(router.db_for_write(self.model))


class PrimaryModel(models.Model):
    """Base of every row of the engine."""

    objects = PrimaryManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
