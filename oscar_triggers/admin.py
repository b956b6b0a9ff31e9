"""Django admin: the engine's rows to look at; nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from . import models

if TYPE_CHECKING:
    # Generic for the type checker only; at run time Django's admin classes are not.
    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _ModelAdmin = admin.ModelAdmin
    _TabularInline = admin.TabularInline


class LookOnlyAdmin(_ModelAdmin):
    """A list and a page without any way to change something."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds rows here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes rows here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes rows here."""
        return False


class LookOnlyInline(_TabularInline):
    """Rows below another row, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds rows here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes rows here."""
        return False


class StepInline(LookOnlyInline):
    """The steps of a flow version."""

    model = models.Step
    fields = ("key", "kind", "options", "branch", "position")


class DispatchInline(LookOnlyInline):
    """The tries at a message."""

    model = models.Dispatch
    fields = ("hop", "channel", "state", "reason", "attempt", "sending_at", "settled_at", "detail")


class DecisionInline(LookOnlyInline):
    """Why a message or enrollment went the way it did."""

    model = models.Decision
    fields = ("decided_at", "rule", "verdict", "reason", "compared", "count")


@admin.register(models.Flow)
class FlowAdmin(LookOnlyAdmin):
    """Flows."""

    list_display = ("name", "key", "state", "owner", "trigger_kind", "active_since")
    list_filter = ("state", "owner", "trigger_kind")
    search_fields = ("name", "key")


@admin.register(models.FlowVersion)
class FlowVersionAdmin(LookOnlyAdmin):
    """Published texts of flows."""

    list_display = ("flow", "number", "published_at", "published_by")
    list_select_related = ("flow", "published_by")
    list_filter = ("flow",)
    inlines = (StepInline,)


@admin.register(models.Template)
class TemplateAdmin(LookOnlyAdmin):
    """Templates."""

    list_display = ("name", "key", "channel", "owner")
    search_fields = ("name", "key")


@admin.register(models.TemplateVersion)
class TemplateVersionAdmin(LookOnlyAdmin):
    """Published texts of templates."""

    list_display = ("template", "language", "number", "published_at", "published_by")
    list_select_related = ("template", "published_by")
    list_filter = ("language",)
    exclude = ("compiled",)


@admin.register(models.Contact)
class ContactAdmin(LookOnlyAdmin):
    """Contacts, found by number only: addresses are not searched for here."""

    list_display = ("pk", "user", "language", "time_zone", "created_at", "joined_into")
    list_select_related = ("user", "joined_into")
    search_fields = ("=pk",)


@admin.register(models.Enrollment)
class EnrollmentAdmin(LookOnlyAdmin):
    """People on their way."""

    list_display = (
        "pk", "flow", "contact", "episode_key", "state", "step_key", "due_at", "exit_reason",
    )  # fmt: skip
    list_select_related = ("flow", "contact")
    list_filter = ("state", "exit_reason", "flow")
    search_fields = ("=pk", "episode_key")
    inlines = (DecisionInline,)


@admin.register(models.Message)
class MessageAdmin(LookOnlyAdmin):
    """What we owe people."""

    list_display = ("pk", "template", "flow", "contact", "state", "reason", "due_at", "settled_at")
    list_select_related = ("template", "flow", "contact")
    list_filter = ("state", "stream", "flow")
    search_fields = ("=pk", "=public_id")
    exclude = ("payload",)
    inlines = (DispatchInline, DecisionInline)


@admin.register(models.JournalEntry)
class JournalEntryAdmin(LookOnlyAdmin):
    """What happened."""

    list_display = ("pk", "kind", "about_type", "about_id", "occurred_at", "routed_at", "error")
    list_filter = ("kind",)
    search_fields = ("=pk", "about_id")
    exclude = ("person",)
    inlines = (DecisionInline,)


@admin.register(models.ConsentEvent)
class ConsentEventAdmin(LookOnlyAdmin):
    """The consent ledger."""

    list_display = ("pk", "contact", "channel", "topic", "action", "basis", "source", "occurred_at")
    list_select_related = ("contact",)
    list_filter = ("action", "basis", "channel", "topic", "source")
    search_fields = ("=contact__pk",)


@admin.register(models.Suppression)
class SuppressionAdmin(LookOnlyAdmin):
    """Points that are never written to."""

    list_display = ("pk", "channel", "reason", "created_at", "note")
    list_filter = ("channel", "reason")


@admin.register(models.BasketWatch)
class BasketWatchAdmin(LookOnlyAdmin):
    """Baskets that the sweep keeps an eye on."""

    list_display = ("basket_id", "contact", "episode", "changed_at", "closed_at", "language")
    list_select_related = ("contact",)
    search_fields = ("=basket_id",)


@admin.register(models.VoucherGrant)
class VoucherGrantAdmin(LookOnlyAdmin):
    """Vouchers that messages promised."""

    list_display = ("pk", "message", "contact", "expires_at", "revoked_at")
    list_select_related = ("message__template", "contact")


@admin.register(models.SurveyAnswer)
class SurveyAnswerAdmin(LookOnlyAdmin):
    """What people answered to surveys."""

    list_display = ("pk", "survey", "score", "about_type", "about_id", "contact", "answered_at")
    list_filter = ("survey", "score")
    list_select_related = ("contact",)


@admin.register(models.Pulse)
class PulseAdmin(LookOnlyAdmin):
    """The engine's pulse."""

    list_display = ("name", "ran_at", "position_at", "detail")


# ── How the engine stands, and what came back ────────────────────────────────────────────────────


@admin.register(models.Installation)
class InstallationAdmin(LookOnlyAdmin):
    """Whose database this is, and whether sending is stopped."""

    list_display = ("environment", "host", "base_url", "adopted_at", "stopped_at", "stop_reason")


@admin.register(models.Alarm)
class AlarmAdmin(LookOnlyAdmin):
    """What staff were told, and what is over."""

    list_display = ("key", "text", "raised_at", "last_seen_at", "told_at", "cleared_at", "count")
    list_filter = ("cleared_at",)
    search_fields = ("key",)


@admin.register(models.Breaker)
class BreakerAdmin(LookOnlyAdmin):
    """Providers, and whether messages go to them."""

    list_display = ("name", "state", "failures", "openings", "opened_at", "retry_at", "detail")


@admin.register(models.Allowance)
class AllowanceAdmin(LookOnlyAdmin):
    """How many messages may still go at this moment."""

    list_display = ("name", "tokens", "refilled_at")


@admin.register(models.ProviderReport)
class ProviderReportAdmin(LookOnlyAdmin):
    """What providers reported."""

    list_display = ("pk", "provider", "kind", "reason", "dispatch", "occurred_at", "received_at")
    list_select_related = ("dispatch",)
    list_filter = ("kind", "reason", "provider")


@admin.register(models.Hit)
class HitAdmin(LookOnlyAdmin):
    """Visits by links."""

    list_display = ("pk", "message", "link_no", "hit_class", "signs", "occurred_at")
    list_select_related = ("message__template",)
    list_filter = ("hit_class",)


@admin.register(models.Conversion)
class ConversionAdmin(LookOnlyAdmin):
    """Goals that followed a click."""

    list_display = ("pk", "kind", "about_id", "value", "currency", "message", "occurred_at")
    list_select_related = ("message__template",)
    list_filter = ("kind",)


@admin.register(models.DailyTotal)
class DailyTotalAdmin(LookOnlyAdmin):
    """Totals by day of rows that were pruned."""

    list_display = ("day", "flow", "step_key", "variant", "measure", "count", "value", "currency")
    list_select_related = ("flow",)
    list_filter = ("flow",)


@admin.register(models.Assignment)
class AssignmentAdmin(LookOnlyAdmin):
    """Arms of splits and holdouts."""

    list_display = ("flow", "contact", "name", "arm", "assigned_at")
    list_select_related = ("flow", "contact")
    list_filter = ("flow",)
