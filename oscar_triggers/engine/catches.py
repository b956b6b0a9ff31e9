"""Safety catches: the last step before any channel, where an installation keeps letters at home."""

from __future__ import annotations

from ..channels import Parcel

#: Why a parcel does not leave.
ONLY_TO = "only_to"
NO_REDIRECT = "no_redirect"


def caught(parcel: Parcel, channel: str) -> Parcel | str:
    """Return the parcel as it may leave, or the reason why it may not."""
    return parcel
