"""The sandbox with Wagtail's own pages, as a shop has it that uses them."""

from __future__ import annotations

from django.urls import include, path

from sandbox.urls import urlpatterns as of_the_shop

urlpatterns = [*of_the_shop, path("pages/", include("wagtail.urls"))]
