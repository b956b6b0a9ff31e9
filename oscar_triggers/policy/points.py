"""One spelling for each e-mail address and phone number, whoever wrote it."""

from __future__ import annotations

import re

import idna
import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import pgettext

from .. import channels
from ..conf import triggers_settings

EMAIL = "email"
SMS = "sms"

_MAX_LENGTH = 320
_is_email = EmailValidator()
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def normalise(channel: str, value: str) -> str:
    """Return the one spelling of a point; raises ValueError, without the value, when it is none.

    A registered channel decides; until one is, addresses and numbers are spelled as ours would.
    """
    if channel in channels.registry:
        return channels.get(channel).normalise(value)
    if channel == EMAIL:
        return normalise_email(value)
    if channel == SMS:
        return normalise_phone(value)
    raise ValueError(f"Nothing knows how to spell points of the channel {channel!r}.")


def normalise_or_nothing(channel: str, value: str) -> str:
    """Return the one spelling of a point, or "" when it is none."""
    if not value or not value.strip():
        return ""
    try:
        return normalise(channel, value)
    except ValueError:
        return ""


def normalise_email(value: str) -> str:
    """Return an address in lower case with its domain in ASCII; raises ValueError.

    Lower-cased, never case-folded: folding would turn "ß" into "ss", another mailbox.
    """
    text = value.strip()
    local, at, domain = text.rpartition("@")
    if not at or len(text) > _MAX_LENGTH or _CONTROL.search(text):
        raise ValueError(pgettext("triggers", "This is not an e-mail address."))
    domain = domain.rstrip(".").lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise ValueError(
                pgettext("triggers", "The domain of this e-mail address does not exist.")
            ) from None
    normalised = f"{local.lower()}@{domain}"
    try:
        # Django's validator knows ASCII mailboxes only; SMTPUTF8 ones are as good (RFC 6531).
        _is_email(normalised if local.isascii() else f"mailbox@{domain}")
    except ValidationError:
        raise ValueError(pgettext("triggers", "This is not an e-mail address.")) from None
    if not local.isascii() and re.search(r"[\s\"(),:;<>@\[\\\]]", local):
        raise ValueError(pgettext("triggers", "This is not an e-mail address."))
    return normalised


def normalise_phone(value: str) -> str:
    """Return a number in E.164 ("+4930123456"); raises ValueError.

    Numbers without a country code belong to OSCAR_TRIGGERS["PHONE_REGION"].
    """
    region = triggers_settings().phone_region.upper() or None
    try:
        number = phonenumbers.parse(value.strip(), region)
    except phonenumbers.NumberParseException:
        raise ValueError(pgettext("triggers", "This is not a phone number.")) from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError(pgettext("triggers", "This is not a phone number."))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
