"""What a letter that asks for reviews says: a block for each product that has none yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from ...conf import site_settings
from ...content import context
from ...content.context import Provided, Wanted
from ...snapshots import Subject
from .. import pictures
from ..products.said import Telling
from .asking import Answer, ToReview, asked_of, to_review_many

STARS = range(1, 6)


@context.register
class ReviewContext(context.ContextProvider):
    """The products of an order that its buyer may review, asked anew for each letter.

    A letter of a flow that asks for reviews is not sent when none are left; other letters about
    an order, as a thank-you, say nothing of reviews then.
    """

    name = "review"
    about_types = frozenset({"order"})

    def provide_wanted(self, wanted: Sequence[Wanted], now: datetime) -> list[Provided]:
        """Ask only for letters that are sent to ask for reviews, or say something of them."""
        asked = [one for one in wanted if asks_for_reviews(one.subject) or one.uses("review")]
        given = iter(self.provide_many([one.subject for one in asked], now) if asked else ())
        return [
            next(given) if asks_for_reviews(one.subject) or one.uses("review") else Provided()
            for one in wanted
        ]

    def provide_many(self, subjects: Sequence[Subject], now: datetime) -> list[Provided]:
        """Return what to say to each subject, in their order, in a constant number of queries."""
        answers = to_review_many(
            [asked_of(one, ask_after_rejection=asks_again(one)) for one in subjects]
        )
        telling = Telling(
            {pk for answer in answers for one in answer.products
             for pk in (one.product_id, one.bought_id)}
        )  # fmt: skip
        return [
            _provide(subject, answer, telling)
            for subject, answer in zip(subjects, answers, strict=True)
        ]


def asks_for_reviews(subject: Subject) -> bool:
    """Say whether somebody is in a flow that began because it was time to ask for reviews."""
    return "after_receipt" in subject.payload


def asks_again(subject: Subject) -> bool:
    """Say whether the flow asks those again whose review was rejected."""
    return bool(subject.payload.get("ask_after_rejection"))


def review_url(base_url: str, product_id: int, score: int | None = None) -> str:
    """Return the address of the shop's review form, filled in with a number of stars."""
    path = reverse("oscar_triggers:review", args=[product_id])
    return pictures.absolute(base_url, path if score is None else f"{path}?score={score}")


def _provide(subject: Subject, answer: Answer, telling: Telling) -> Provided:
    if not answer.products:
        return Provided(
            values={"review": {"products": []}},
            unavailable=answer.reason if asks_for_reviews(subject) else "",
            compared=answer.compared,
        )
    base_url = site_settings(subject.site_id).base_url
    language = subject.language or settings.LANGUAGE_CODE
    with translation.override(language):
        blocks = [_block(one, telling, language, base_url) for one in answer.products]
    return Provided(values={"review": {"products": blocks}})


def _block(one: ToReview, telling: Telling, language: str, base_url: str) -> Mapping[str, Any]:
    shown = telling.about(one.product_id, language=language, base_url=base_url)
    bought = telling.about(one.bought_id, language=language, base_url=base_url)
    return {
        "title": shown.title,
        "variant": bought.variant,
        "url": shown.url,
        # Pictures of a product with variants are often those of the variants.
        "image_url": bought.image_url,
        "review_url": review_url(base_url, one.product_id),
        **{f"star_{score}": review_url(base_url, one.product_id, score) for score in STARS},
    }
