"""What letters to those who asked to be told say of the asking itself, and its links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import pgettext_lazy

from ...conf import site_settings, triggers_settings
from ...content import context, links, tags
from ...content.context import Provided
from ...content.tags import MergeTag
from ...models import ProductRequest
from ...snapshots import Subject
from .events import ABOUT_REQUEST

#: What the link in the letter of confirmation is signed for.
CONFIRM = "request-confirm"

_ABOUT = frozenset({ABOUT_REQUEST})
_GROUP = pgettext_lazy("triggers", "Request to be told")


@context.register
class RequestContext(context.ContextProvider):
    """How many wait, for how long the units are kept, and where to confirm or cancel."""

    name = "request"
    about_types = _ABOUT

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say about each subject's request, by one query."""
        ids = {int(one.about.id) for one in subjects if one.about.id.isdigit()}
        found = {
            str(pk): (public_id, quantity)
            for pk, public_id, quantity in ProductRequest.objects.filter(pk__in=ids).values_list(
                "pk", "public_id", "quantity"
            )
        }
        return [_provide(subject, found.get(subject.about.id)) for subject in subjects]


def _provide(subject: Subject, known: tuple[str, int] | None) -> Provided:
    if known is None:
        # Whoever it was is erased, or the product is: the guard says so.
        return Provided()
    public_id, quantity = known
    base_url = site_settings(subject.site_id).base_url
    payload: Mapping[str, Any] = subject.payload
    until = payload.get("buy_until")
    return Provided(
        values={
            "request": {
                "quantity": int(payload.get("quantity") or quantity),
                "waiting": int(payload.get("waiting") or 1),
                "hurry": bool(payload.get("hurry")),
                "buy_until": datetime.fromisoformat(str(until)) if until else "",
                "cancel_url": cancel_url(base_url, public_id),
                "confirm_url": confirm_url(base_url, public_id),
            }
        }
    )


def cancel_url(base_url: str, public_id: str) -> str:
    """Return the address of the page on which a request is cancelled; the random id is the secret."""
    return base_url + reverse("oscar_triggers:request", args=[public_id])


def confirm_url(base_url: str, public_id: str) -> str:
    """Return the address of the page on which a guest confirms; only our letter names it."""
    token = links.sign(public_id, CONFIRM)
    return base_url + reverse("oscar_triggers:request_confirm", args=[token])


def register() -> None:
    """Register the merge tags; a second time changes nothing."""
    tags.register_tags(tag for tag in TAGS if tag.path not in tags.registry)


def _url_of(make: Any) -> Any:
    return lambda language: make(triggers_settings().base_url, "x" * links.PUBLIC_ID_LENGTH)


def _tag(name: str, label: Any, sample: Any) -> MergeTag:
    return MergeTag(
        path=f"request.{name}", label=label, group=_GROUP, sample=sample, about_types=_ABOUT
    )


TAGS: tuple[MergeTag, ...] = (
    _tag("quantity", pgettext_lazy("triggers", "How many were asked for"), 1),
    _tag("waiting", pgettext_lazy("triggers", "How many people wait for the product"), 37),
    _tag("hurry", pgettext_lazy("triggers", "More wait than there are"), True),
    _tag(
        "buy_until",
        pgettext_lazy("triggers", "Until when the units are kept"),
        datetime(2030, 5, 17, 21, 59, tzinfo=UTC),
    ),
    _tag(
        "cancel_url",
        pgettext_lazy("triggers", "Address on which the request is cancelled"),
        _url_of(cancel_url),
    ),
    _tag(
        "confirm_url",
        pgettext_lazy("triggers", "Address on which a guest confirms"),
        _url_of(confirm_url),
    ),
)
