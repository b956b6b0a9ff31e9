"""Splitting: which arm of a split a contact is in, once and for all."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime

from ..models import Assignment
from ..models.sql import insert_or_ignore

#: blake2b's own key: what keeps these numbers from equalling other hashes of the same text.
_KEY = b"oscar_triggers.splitting"


def assign_many(
    flow_id: int,
    flow_key: str,
    name: str,
    contact_ids: Collection[int],
    weights: Mapping[str, int],
    now: datetime,
) -> dict[int, str]:
    """Return the arm of each contact, and keep it where it is new, in a constant number of statements.

    Who has an arm keeps it whatever the weights are now, also where its weight is 0. `name` is
    the key of the split step.
    """
    ids = set(contact_ids)
    known = _arms(flow_id, name, ids)
    new = sorted(ids - set(known))
    if not new:
        return known
    insert_or_ignore(
        Assignment,
        [
            {
                "flow_id": flow_id,
                "contact_id": contact_id,
                "name": name,
                "arm": arm_of(flow_key, name, contact_id, weights),
                "assigned_at": now,
            }
            for contact_id in new
        ],
        conflict=("flow", "contact", "name"),
    )
    # Read again: another worker may have been quicker, with other weights.
    return {**known, **_arms(flow_id, name, set(new))}


def variants_of(
    flow_id: int, contact_ids: Collection[int], names: Collection[str]
) -> dict[int, dict[str, str]]:
    """Return {contact id: {split key: arm}} for the named splits of a flow, by one query."""
    found: dict[int, dict[str, str]] = {}
    if not names:
        return found
    for contact_id, name, arm in Assignment.objects.filter(
        flow_id=flow_id, contact_id__in=contact_ids, name__in=names
    ).values_list("contact_id", "name", "arm"):
        found.setdefault(contact_id, {})[name] = arm
    return found


def arm_of(flow_key: str, name: str, contact_id: int, weights: Mapping[str, int]) -> str:
    """Return the arm that these weights give a contact who has none yet.

    By a keyed hash (blake2b, RFC 7693), so that no step needs a source of randomness and a
    simulation foretells what will happen.
    """
    text = f"{flow_key}\0{name}\0{contact_id}".encode()
    digest = hashlib.blake2b(text, key=_KEY, digest_size=8).digest()
    arms = sorted((arm, weight) for arm, weight in weights.items() if weight > 0)
    left = int.from_bytes(digest) % sum(weight for _arm, weight in arms)
    for arm, weight in arms:
        if left < weight:
            return arm
        left -= weight
    raise AssertionError("the remainder is smaller than the sum of the weights")


def _arms(flow_id: int, name: str, contact_ids: set[int]) -> dict[int, str]:
    return dict(
        Assignment.objects.filter(
            flow_id=flow_id, name=name, contact_id__in=contact_ids
        ).values_list("contact_id", "arm")
    )
