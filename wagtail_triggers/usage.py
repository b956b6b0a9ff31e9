"""Which flows send which templates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import F

from oscar_triggers import steps
from oscar_triggers.models import FlowState, Step


def running_template_uses() -> dict[str, list[str]]:
    """Return the names of the running flows by the key of each template that they send."""
    found: dict[str, list[str]] = defaultdict(list)
    fields = {kind: _template_options(kind) for kind in steps.registry}
    rows = (
        Step.objects.filter(
            kind__in=[kind for kind, names in fields.items() if names],
            version__flow__live_version=F("version"),
        )
        .exclude(version__flow__state=FlowState.ARCHIVED)
        .values_list("kind", "options", "version__flow__name")
    )
    for kind, options, flow in rows:
        for name in fields[kind]:
            key = options.get(name)
            if key and flow not in found[key]:
                found[key].append(flow)
    return dict(found)


def _template_options(kind: str) -> tuple[str, ...]:
    return tuple(_names(steps.registry.get(kind).option_fields()))


def _names(options: Iterable[object]) -> Iterable[str]:
    for option in options:
        if getattr(option, "metadata", {}).get("format") == "template":
            yield str(getattr(option, "name", ""))
