"""The words by which people allow or refuse messages: shown and kept from one place.

The version of a text is a hash of it, so that a change of words, of a translation, of a topic's
label or of the shop's name is another version by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import pgettext

from ..conf import site_settings, triggers_settings
from ..models import ALL_TOPICS
from ..policy.points import SMS


@dataclass(frozen=True, kw_only=True)
class Words:
    """A text as one person saw it."""

    text: str
    version: str
    language: str
    site_id: int | None = None

    @property
    def shown(self) -> str:
        """Return what a form posts back, by which the same words are found again."""
        return f"{self.language}|{self.site_id or ''}|{self.version}"


def opt_in(
    channel: str, topic: str, shown: str = "", *, site_id: int | None = None
) -> Words | None:
    """Return the words beside the opt-in box; None when `shown` names words that we no longer use.

    Without `shown`: the words in the active language.
    """

    def text(site: int | None) -> str:
        values = {"topic": _topic_label(topic), "shop": site_settings(site).shop_name}
        if channel == SMS:
            return (
                pgettext(
                    "triggers",
                    "I would like to receive “%(topic)s” from %(shop)s by text message. "
                    "I can stop this at any time.",
                )
                % values
            )
        return (
            pgettext(
                "triggers",
                "I would like to receive “%(topic)s” from %(shop)s by e-mail. "
                "I can stop this at any time with one click.",
            )
            % values
        )

    return _find(text, shown, site_id)


def opt_out(shown: str = "", *, site_id: int | None = None) -> Words | None:
    """Return the words beside the box by which a buyer refuses letters about similar goods."""

    def text(site: int | None) -> str:
        return pgettext(
            "triggers",
            "Please do not send me e-mails from %(shop)s about products like the ones I bought.",
        ) % {"shop": site_settings(site).shop_name}

    return _find(text, shown, site_id)


def soft_opt_in(language: str = "", *, site_id: int | None = None) -> Words:
    """Return the notice that a buyer is shown where a sale allows letters."""

    def text(site: int | None) -> str:
        return pgettext(
            "triggers",
            "After your order, %(shop)s may e-mail you about products like the ones you bought. "
            "You can refuse here, and in every e-mail.",
        ) % {"shop": site_settings(site).shop_name}

    return _words(text, language, site_id)


def subscribe_again(shown: str = "", *, site_id: int | None = None) -> Words | None:
    """Return the words of the button by which someone takes an unsubscription back."""

    def text(site: int | None) -> str:
        return pgettext(
            "triggers",
            "I changed my mind: please send me “%(topics)s” from %(shop)s by e-mail again. "
            "I can stop this at any time with one click.",
        ) % {"topics": _topic_label(ALL_TOPICS), "shop": site_settings(site).shop_name}

    return _find(text, shown, site_id)


def _topic_label(topic: str) -> str:
    topics = triggers_settings().topics
    labels = topics.values() if topic == ALL_TOPICS else [topics.get(topic, topic)]
    return ", ".join(str(label) for label in labels)


def _find(text: Callable[[int | None], str], shown: str, site_id: int | None) -> Words | None:
    if not shown:
        return _words(text, "", site_id)
    language, site, version = [*shown.split("|"), "", ""][:3]
    if not translation.check_for_language(language):
        return None
    words = _words(text, language, int(site) if site.isdecimal() and len(site) < 10 else None)
    return words if words.version == version else None


def _words(text: Callable[[int | None], str], language: str, site_id: int | None) -> Words:
    spoken = language if translation.check_for_language(language) else ""
    spoken = spoken or translation.get_language() or "en"
    with translation.override(spoken):
        words = text(site_id)
    version = hashlib.sha256(words.encode()).hexdigest()[:12]
    return Words(text=words, version=version, language=spoken, site_id=site_id)
