"""Trials: sending a letter to oneself before anybody else gets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .. import channels
from ..channels import Channel, Outcome, Parcel, Receipt
from ..conf import SiteSettings, site_settings
from ..content import headers, links, rendering
from ..content.compiling import compile_letter
from ..content.letters import LetterSource
from ..models import (
    Dispatch,
    DispatchState,
    Message,
    MessageState,
    Stream,
    Template,
    point_hash,
    random_id,
)
from . import catches, installation

#: Stands before the subject, so that nobody takes a trial for the real letter.
MARK = "[Test]"


def send_test(
    source: LetterSource,
    to: Sequence[str],
    *,
    values: Mapping[str, Any],
    template_key: str = "",
    site_id: int | None = None,
    now: datetime,
) -> list[Receipt]:
    """Send a letter filled with sample values to some addresses; each is logged as a message.

    Consent is not asked: the sender is staff and writes to colleagues. Raises TemplateError for
    a text that does not compile, and ValueError for an address that is none.
    """
    compiled = compile_letter(source)
    channel = channels.get("email")
    addresses = [channel.normalise(address) for address in to]
    template = Template.objects.filter(key=template_key).first()
    site = site_settings(site_id)
    sender = site.senders[Stream.PROMOTIONAL]
    receipts: list[Receipt] = []
    try:
        for address in addresses:
            public_id = random_id()
            letter = rendering.fill(
                compiled,
                {**values, "links": _links(site, public_id)},
                language=source.language,
                time_zone="",
            )
            subject = f"{MARK} {letter.subject}"
            message = Message.objects.create(
                public_id=public_id,
                idempotency_key=f"test:{public_id}",
                template=template,
                stream=Stream.PROMOTIONAL,
                planned_at=now,
                due_at=now,
                not_after=now,
                site_id=site_id,
                payload={"letter": {"subject": subject, "html": letter.html, "text": letter.text}},
            )
            dispatch = Dispatch.objects.create(
                message=message,
                channel="email",
                point_hash=point_hash("email", address),
                state=DispatchState.SENDING,
                due_at=now,
                attempt=1,
                sending_at=now,
            )
            parcel = Parcel(
                dispatch_id=dispatch.pk,
                to=address,
                from_=sender.from_email,
                reply_to=sender.reply_to,
                subject=subject,
                text=letter.text,
                html=letter.html,
                headers=headers.letter_headers(
                    stream=Stream.PROMOTIONAL,
                    public_id=public_id,
                    base_url=site.base_url,
                    topic="",
                    flow_key="test",
                    date=now,
                ),
                metadata={"message": public_id, "flow": "test"},
            )
            receipt = _hand_over(parcel, channel)
            _write(message, dispatch, receipt, now)
            receipts.append(receipt)
    finally:
        channel.close()
    return receipts


def _hand_over(parcel: Parcel, channel: Channel) -> Receipt:
    """Hand a trial over where letters may leave at all, past the same safety catches."""
    reason = installation.hold_reason()
    if reason:
        return catches.kept_receipt(parcel, reason)
    caught = catches.caught(parcel, channel.kind)
    if isinstance(caught, str):
        return catches.kept_receipt(parcel, caught)
    [receipt] = channel.send_many([caught])
    return receipt


def _links(site: SiteSettings, public_id: str) -> dict[str, str]:
    return {
        "basket": site.base_url,
        "unsubscribe": links.unsubscribe_url(site.base_url, public_id),
        "preferences": links.preferences_url(site.base_url, public_id),
    }


def _write(message: Message, dispatch: Dispatch, receipt: Receipt, now: datetime) -> None:
    sent = receipt.outcome is Outcome.SENT
    Dispatch.objects.filter(pk=dispatch.pk).update(
        state=DispatchState.SENT if sent else DispatchState.DEAD,
        settled_at=now,
        provider=receipt.provider,
        provider_id=receipt.provider_id,
        detail=receipt.detail[:500],
        reason="" if sent else receipt.outcome.value,
    )
    Message.objects.filter(pk=message.pk).update(
        state=MessageState.SENT if sent else MessageState.DEAD,
        settled_at=now,
        reason="" if sent else receipt.outcome.value,
    )
