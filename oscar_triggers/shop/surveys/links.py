"""Links to surveys: who is asked what about which thing, signed, with nothing personal inside."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.core import signing
from django.urls import reverse

from ...snapshots import About

_SALT = "oscar_triggers.survey"


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """What a link says: one person is asked one question about one thing."""

    survey: str
    contact_id: int
    about: About
    #: The way through a flow that the letter belonged to; 0 for none.
    enrollment_id: int = 0

    def to(self, survey: str) -> Invitation:
        """Return the same for another survey."""
        return replace(self, survey=survey)


def token_of(invitation: Invitation) -> str:
    """Return the invitation as text for an address; only this shop can make one."""
    return signing.Signer(salt=_SALT).sign_object(
        [
            invitation.survey,
            invitation.contact_id,
            invitation.about.type,
            invitation.about.id,
            invitation.enrollment_id,
        ]
    )


def read(token: str) -> Invitation | None:
    """Return what a link says, None for any text that this shop did not sign."""
    try:
        survey, contact_id, about_type, about_id, enrollment_id = signing.Signer(
            salt=_SALT
        ).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Invitation(
        survey=survey,
        contact_id=contact_id,
        about=About(type=about_type, id=about_id),
        enrollment_id=enrollment_id,
    )


def path_of(invitation: Invitation) -> str:
    """Return the path of the page that an invitation leads to."""
    return reverse("oscar_triggers:survey", args=[token_of(invitation)])
