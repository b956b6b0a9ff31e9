"""Accounts in Django's admin."""

from __future__ import annotations

from django.contrib import admin

from .models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    """Accounts, found by address."""

    list_display = ("email", "first_name", "last_name", "is_staff")
    search_fields = ("email", "last_name")
