"""The shop's addresses with Anymail's webhooks beside them."""

from django.urls import include, path

urlpatterns = [path("anymail/", include("anymail.urls")), path("", include("sandbox.urls"))]
