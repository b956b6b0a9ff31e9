"""Every page of ours that somebody looks at in Wagtail's admin, for the tests in a browser.

A new page is one line here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.engine import consents, contacts, installation, saved_segments, wording
from oscar_triggers.models import (
    Contact,
    Enrollment,
    Message,
    OneOffLetter,
    SavedSegment,
    Suppression,
)
from oscar_triggers.snapshots import Person
from tests.editor.conftest import make_flow, make_split_flow, make_template, make_text
from tests.policy import rows
from wagtail_triggers.models import FlowDraft, TemplateDraft


@dataclass(frozen=True, kw_only=True)
class Things:
    """What the pages show."""

    flow: FlowDraft
    template: TemplateDraft
    #: A letter of blocks, with a text that is written with formats.
    letter: TemplateDraft
    text: TemplateDraft
    two_ways: FlowDraft
    contact: Contact
    message: Message
    suppression: Suppression
    way: Enrollment
    segment: SavedSegment
    one_off: OneOffLetter


def make_things() -> Things:
    """Make a flow, a letter, and a person with something of everything."""
    now = timezone.now()
    template = make_template()
    blocks = [{"type": "text", "value": {"text": "<p>Dear <b>Mary</b></p>"}}]
    letter = make_template("letter-3", body="", blocks=json.dumps(blocks), publish=False)
    flow = make_flow(publish=True)
    make_template("letter-2", name="Second letter")
    contact_id = contacts.resolve(
        Person(email="mary@example.com", first_name="Mary", last_name="Poole"), now=now
    )
    assert contact_id is not None
    contact = Contact.objects.get(pk=contact_id)
    words = wording.opt_in("email", "offers")
    assert words is not None
    consents.grant(contact.points.get(), topic="offers", words=words, source="checkout", now=now)
    way = rows.enroll(rows.make_flow("old-flow"), contact.pk, "basket:7:1", step_key="wait-1")
    rows.plan_message(way, "mary@example.com")
    message = rows.plan_message(
        way,
        "mary@example.com",
        state="dead",
        payload={"letter": {"subject": "Hello", "html": "<p>Hello</p>", "text": "Hello"}},
    )
    message.dispatches.update(state="dead", settled_at=now)
    suppression = Suppression.objects.create(
        channel="email", point_hash="1" * 40, reason="manual", note="asked", created_at=now
    )
    installation.ensure(now)
    segment = saved_segments.save(
        key="tea", name="Tea drinkers", asked=[{"kind": "has_tag", "tag": "tea"}], now=now
    )
    one_off = OneOffLetter.objects.create(
        name="First flush",
        segment="tea",
        template="letter-1",
        topic="offers",
        send_at=now + timedelta(days=2),
        created_at=now,
        changed_at=now,
    )
    return Things(
        flow=flow,
        template=template,
        letter=letter,
        text=make_text(),
        two_ways=make_split_flow(),
        contact=contact,
        message=message,
        suppression=suppression,
        way=way,
        segment=segment,
        one_off=one_off,
    )


def _draft(view: str, attribute: str) -> Callable[[Things], str]:
    def url(things: Things) -> str:
        draft = getattr(things, attribute)
        return reverse(draft.snippet_viewset.get_url_name(view), args=[quote(draft.pk)])

    return url


def _plain(name: str, **chosen: Callable[[Things], Any]) -> Callable[[Things], str]:
    return lambda things: reverse(name, kwargs={key: take(things) for key, take in chosen.items()})


def _act(verb: str, number: Callable[[Things], int] = lambda _things: 0) -> Callable[[Things], str]:
    return lambda things: reverse(
        "wagtail_triggers:act", args=[things.contact.pk, verb, number(things)]
    )


_FLOWS = "wagtailsnippets_wagtail_triggers_flowdraft"
_TEMPLATES = "wagtailsnippets_wagtail_triggers_templatedraft"

#: Name of a page → its address.
PAGES: dict[str, Callable[[Things], str]] = {
    "dashboard": _plain("wagtail_triggers:dashboard"),
    "flows": _plain(f"{_FLOWS}:list"),
    "flow, new": _plain(f"{_FLOWS}:add"),
    "flow": _draft("edit", "flow"),
    "flow, history": _draft("history", "flow"),
    "variants of a flow": _plain(
        "wagtail_triggers:variants",
        pk=lambda things: things.two_ways.pk,
        key=lambda _things: "split-1",
    ),
    "flow, usage": _draft("usage", "flow"),
    "templates": _plain(f"{_TEMPLATES}:list"),
    "template, new": _plain(f"{_TEMPLATES}:add"),
    "template": _draft("edit", "template"),
    "letter of blocks": _draft("edit", "letter"),
    "text, new": lambda things: f"{reverse(f'{_TEMPLATES}:add')}?channel=counter_screen",
    "text": _draft("edit", "text"),
    "template, history": _draft("history", "template"),
    "ready flows": _plain("wagtail_triggers:ready"),
    "ready letters": _plain("wagtail_triggers:ready_letters"),
    "kept in files": _plain("wagtail_triggers:files"),
    "on their way": _plain("triggers_enrollments:index"),
    "on the way": _plain("triggers_enrollments:inspect", pk=lambda things: things.way.pk),
    "segments": _plain("triggers_segments:index"),
    "segment, new": _plain("triggers_segments:add"),
    "segment": _plain("triggers_segments:edit", pk=lambda things: things.segment.pk),
    "one-off letters": _plain("triggers_one_off:index"),
    "one-off letter, new": _plain("triggers_one_off:add"),
    "one-off letter, its form": _plain(
        "triggers_one_off:edit", pk=lambda things: things.one_off.pk
    ),
    "one-off letter": _plain("wagtail_triggers:one_off", pk=lambda things: things.one_off.pk),
    "calendar": _plain("wagtail_triggers:calendar"),
    "messages": _plain("triggers_messages:index"),
    "message": _plain("triggers_messages:inspect", pk=lambda things: things.message.pk),
    "waiting": _plain("wagtail_triggers:waiting"),
    "answers": _plain("wagtail_triggers:answers"),
    "contacts": _plain("triggers_contacts:index"),
    "contacts of a segment": lambda _things: reverse("triggers_contacts:index") + "?segment=tea",
    "figures of a segment": lambda _things: reverse("wagtail_triggers:dashboard") + "?segment=tea",
    "contact": _plain("triggers_contacts:inspect", pk=lambda things: things.contact.pk),
    "why": _plain("wagtail_triggers:why"),
    "why, answered": lambda things: (
        f"{reverse('wagtail_triggers:why')}?contact={things.contact.pk}&flow=old-flow"
    ),
    "act: stop": _act("stop"),
    "act: add": _act("add"),
    "act: grant": _act("grant", lambda things: things.contact.points.get().pk),
    "act: send again": _act("send-again", lambda things: things.message.pk),
    "sending": _plain("wagtail_triggers:sending"),
    "doubts": _plain("wagtail_triggers:doubts"),
    "blocked addresses": _plain("wagtail_triggers:suppressions"),
    "lift a block": _plain("wagtail_triggers:lift_block", pk=lambda things: things.suppression.pk),
}
