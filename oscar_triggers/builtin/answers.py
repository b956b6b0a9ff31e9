"""What mail servers and providers say, as receipts; never with the address in it."""

from __future__ import annotations

import re
import smtplib
from enum import StrEnum

from ..channels import Outcome, Parcel, Receipt
from ..policy.bounces import Weight, weigh

_ADDRESS = re.compile(r"<[^<>]*@[^<>]*>|[^\s<>\"'(),;:]+@[^\s<>\"'(),;]+")
_CLOSING = 421
_MAILBOX_FULL = 452
#: The server will not talk now, or not with this shop: no letter's fault. 432 (RFC 4954) wants a
#: password changed, 530, 534, 535 and 538 ask for a login.
_DOWN = frozenset({421, 432, 454, 530, 534, 535, 538})
_TOO_MANY = re.compile(r"(?i)too many (?:connections|concurrent|sessions)|rate limit|throttl")
_LATER = re.compile(
    r"(?i)\s*4\.2\.[12]\b|grey-?list|mailbox (?:is )?full|over ?quota|quota exceeded"
)


class Stage(StrEnum):
    """How far a hand-over had come when the server answered."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


def receipt(
    parcel: Parcel, outcome: Outcome, detail: str = "", *, provider: str, **more: object
) -> Receipt:
    """Return a receipt whose detail is free of addresses."""
    return Receipt(
        dispatch_id=parcel.dispatch_id,
        outcome=outcome,
        provider=provider,
        provider_id=str(more.get("provider_id", ""))[:200],
        detail=without_addresses(detail)[:500],
        point_is_dead=bool(more.get("point_is_dead")),
        provider_is_down=bool(more.get("provider_is_down")),
        retry_after_seconds=max(0.0, float(str(more.get("retry_after_seconds") or 0))),
        retry_class=str(more.get("retry_class", "")),
    )


def without_addresses(text: str) -> str:
    """Return what a server said, on one line, with “…” for every address."""
    return " ".join(_ADDRESS.sub("…", text).split())


def for_reply(
    parcel: Parcel, stage: Stage, code: int, said: bytes | str, *, provider: str
) -> Receipt:
    """Return the receipt of an SMTP reply.

    A recipient or a text refused with 5xx is refused for good. A refused sender is the shop's
    own fault and can be mended, so it is worth another try, as every 4xx is.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    detail = f"{stage.value}: {code} {text}"
    if stage is Stage.CONTENT and 200 <= code < 300:
        return receipt(
            parcel,
            Outcome.SENT,
            f"{code} {text}",
            provider=provider,
            provider_id=parcel.headers.get("Message-ID", "").strip("<>"),
        )
    if code in _DOWN:
        return receipt(parcel, Outcome.FAILED, detail, provider=provider, provider_is_down=True)
    if code < 500 or stage is Stage.SENDER:
        return receipt(
            parcel,
            Outcome.FAILED,
            detail,
            provider=provider,
            retry_class=retry_class(code, text),
        )
    dead = stage is Stage.RECIPIENT and weigh(text, code=code) is Weight.HARD
    return receipt(parcel, Outcome.REFUSED, detail, provider=provider, point_is_dead=dead)


def retry_class(code: int, text: str) -> str:
    """Return which pauses a temporary refusal wants: "quick", "slow" or the usual "".

    Too many connections pass within seconds; a full mailbox (452, 4.2.2) and greylisting
    (RFC 6647) take minutes and more.
    """
    if _TOO_MANY.search(text):
        return "quick"
    return "slow" if code == _MAILBOX_FULL or _LATER.search(text) else ""


def for_smtp_error(
    parcel: Parcel, error: smtplib.SMTPException, *, provider: str
) -> Receipt | None:
    """Return the receipt of a refusal that smtplib raised; None when the connection broke."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return for_reply(parcel, Stage.RECIPIENT, code, said, provider=provider)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return for_reply(parcel, Stage.SENDER, error.smtp_code, error.smtp_error, provider=provider)
    if isinstance(error, smtplib.SMTPDataError):
        return for_reply(
            parcel, Stage.CONTENT, error.smtp_code, error.smtp_error, provider=provider
        )
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return None
    return receipt(
        parcel, Outcome.FAILED, type(error).__name__, provider=provider, provider_is_down=True
    )


def is_closing(code: int) -> bool:
    """Return whether a reply says that the server ends the connection."""
    return code == _CLOSING
