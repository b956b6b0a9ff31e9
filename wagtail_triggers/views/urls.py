"""Addresses of the views beside the viewsets', below /triggers/ in Wagtail's admin."""

from __future__ import annotations

from django.urls import path

from . import doubts, flows, letters, running

app_name = "wagtail_triggers"

urlpatterns = [
    path("files/", flows.files, name="files"),
    path("flows/<slug:key>/pause/", running.pause, name="pause_flow"),
    path("flows/<slug:key>/resume/", running.resume, name="resume_flow"),
    path("flows/<slug:key>/rehearse/", running.rehearse, name="rehearse_flow"),
    path("flows/<slug:key>/go-live/", running.go_live, name="go_live_flow"),
    path("flows/<slug:key>/take-over/", flows.take_over, name="take_over_flow"),
    path("forecast/", flows.show_forecast, name="forecast_new"),
    path("forecast/<str:pk>/", flows.show_forecast, name="forecast"),
    path("templates/<slug:key>/take-over/", letters.take_over, name="take_over_template"),
    path("test-letter/", letters.send_test, name="send_test_new"),
    path("test-letter/<str:pk>/", letters.send_test, name="send_test"),
    path("tries/<int:pk>/<slug:verb>/", doubts.resolve, name="resolve"),
    path("messages/<int:pk>/html/", letters.message_html, name="message_html"),
]
