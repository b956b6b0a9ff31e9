"""The inbox pages."""

from __future__ import annotations

from django.urls import path

from . import views

app_name = "sandbox_shop"
urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("<slug:letter_id>/", views.letter, name="letter"),
    path("<slug:letter_id>/html/", views.letter_html, name="letter_html"),
]
