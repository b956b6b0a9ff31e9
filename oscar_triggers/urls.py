"""Public addresses of the engine."""

from django.urls import URLPattern

app_name = "oscar_triggers"
urlpatterns: list[URLPattern] = []
