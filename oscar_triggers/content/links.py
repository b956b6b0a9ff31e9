"""Links in letters: opaque ids, signed where a guess would open something."""

from __future__ import annotations

import binascii
import hashlib
import re
from functools import lru_cache
from hmac import compare_digest

from django.conf import settings
from django.urls import get_script_prefix, get_urlconf, reverse
from django.utils.translation import get_language

UNSUBSCRIBE = "unsubscribe"
BASKET = "basket"

#: A letter's id and the number of one of its links.
_CLICK = re.compile(r"([A-Za-z0-9_-]{22})(\d{1,4})\Z", re.ASCII)

#: RFC 8058's header must reach the mailbox un-encoded; Django 6.1 encodes longer addresses.
LONGEST_HEADER_URL = 75

PUBLIC_ID_LENGTH = 22
_ANY_TOKEN = "x" * PUBLIC_ID_LENGTH
_MAC_BYTES = 8
_MAC_LENGTH = 11
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{PUBLIC_ID_LENGTH + _MAC_LENGTH}}}\Z")


def unsubscribe_url(base_url: str, public_id: str) -> str:
    """Return the address that ends a message's mailing group; the random id is the secret."""
    return base_url + _path("oscar_triggers:unsubscribe", public_id)


def preferences_url(base_url: str, public_id: str) -> str:
    """Return the address at which a message's reader sees and stops what is sent to them."""
    return base_url + _path("oscar_triggers:preferences", public_id)


def basket_url(base_url: str, public_id: str) -> str:
    """Return the address that brings back the basket which a message is about."""
    return base_url + _path("oscar_triggers:basket", sign(public_id, BASKET))


def click_prefix(base_url: str, public_id: str) -> str:
    """Return what the addresses of a letter's links begin with; their number and "/" follow."""
    return base_url + _path("oscar_triggers:click", public_id).removesuffix("/")


class Addresses:
    """The addresses of one shop's pages, for a batch of letters: what they share is found once."""

    def __init__(self, base_url: str) -> None:
        where = _where()
        before, self._after_unsubscribe = _around("oscar_triggers:unsubscribe", *where)
        self._unsubscribe = base_url + before
        before, self._after_preferences = _around("oscar_triggers:preferences", *where)
        self._preferences = base_url + before
        before, self._after_basket = _around("oscar_triggers:basket", *where)
        self._basket = base_url + before
        before, after = _around("oscar_triggers:click", *where)
        self._click, self._after_click = base_url + before, after.removesuffix("/")

    def unsubscribe(self, public_id: str) -> str:
        """Return what unsubscribe_url does."""
        return self._unsubscribe + public_id + self._after_unsubscribe

    def preferences(self, public_id: str) -> str:
        """Return what preferences_url does."""
        return self._preferences + public_id + self._after_preferences

    def basket(self, public_id: str) -> str:
        """Return what basket_url does."""
        return self._basket + sign(public_id, BASKET) + self._after_basket

    def click_prefix(self, public_id: str) -> str:
        """Return what click_prefix does."""
        return self._click + public_id + self._after_click


def _path(name: str, token: str) -> str:
    """Return the path of a page of ours; tokens need no escapes."""
    before, after = _around(name, *_where())
    return before + token + after


def _where() -> tuple[str, str, str | None]:
    return get_urlconf() or settings.ROOT_URLCONF, get_script_prefix(), get_language()


@lru_cache(maxsize=256)
def _around(name: str, urlconf: str, prefix: str, language: str | None) -> tuple[str, str]:
    """Return what stands around the token, which Django needs 40 µs to find."""
    before, _token, after = reverse(name, urlconf, args=[_ANY_TOKEN]).partition(_ANY_TOKEN)
    return before, after


def read_click_token(token: str) -> tuple[str, int] | None:
    """Return the letter's id and the number of a link, None for any other text."""
    found = _CLICK.match(token)
    return (found[1], int(found[2])) if found else None


def sign(public_id: str, purpose: str) -> str:
    """Return a token for one purpose: the id and a keyed checksum that only this shop can make."""
    return public_id + _mac(public_id, purpose, settings.SECRET_KEY)


def read(token: str, purpose: str) -> str | None:
    """Return the id of a token made for this purpose, None for any other text.

    Tokens signed with one of SECRET_KEY_FALLBACKS are accepted.
    """
    if not _TOKEN.match(token):
        return None
    public_id, given = token[:PUBLIC_ID_LENGTH], token[PUBLIC_ID_LENGTH:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        if compare_digest(given, _mac(public_id, purpose, secret)):
            return public_id
    return None


def read_basket_token(token: str) -> str | None:
    """Return the message id of a link back to a basket, None for any other text."""
    return read(token, BASKET)


def _mac(public_id: str, purpose: str, secret: str | bytes) -> str:
    mac = _keyed(secret, purpose).copy()
    mac.update(public_id.encode())
    return (
        binascii.b2a_base64(mac.digest(), newline=False)
        .translate(_URL_SAFE)[:_MAC_LENGTH]
        .decode("ascii")
    )


@lru_cache(maxsize=32)
def _keyed(secret: str | bytes, purpose: str) -> hashlib.blake2b:
    """Return a keyed hash of nothing yet, to be copied: hashing the key is half of the work."""
    return hashlib.blake2b(key=_key(secret, purpose), digest_size=_MAC_BYTES)


def _key(secret: str | bytes, purpose: str) -> bytes:
    material = secret.encode() if isinstance(secret, str) else secret
    salt = f"oscar_triggers.links.{purpose}".encode()
    return hashlib.sha512(salt + b"\0" + material).digest()
