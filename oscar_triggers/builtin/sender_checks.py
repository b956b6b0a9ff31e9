"""What is checked of a flow's sender before it is published."""

from __future__ import annotations

from django.utils.translation import pgettext

from ..definitions import FlowDefinition
from ..engine import checking
from ..exceptions import Problem
from ..policy import senders


@checking.register
def sender_may_send(definition: FlowDefinition) -> list[Problem]:
    """Refuse a sender that nobody named, and one of a domain that is not the shop's to send from."""
    known = senders.named()
    if definition.sender and definition.sender not in known:
        message = pgettext(
            "triggers", "there is no sender '%(key)s' (known: %(known)s); choose another"
        ) % {"key": definition.sender, "known": ", ".join(sorted(known)) or "–"}
        return [Problem(where="sender", message=message)]
    return [
        Problem(
            where="sender",
            message=pgettext(
                "triggers", "%(domain)s is not among the domains that you may send from"
            )
            % {"domain": domain or "–"},
        )
        for domain in senders.refused_domains(definition.sender, definition.stream)
    ]
