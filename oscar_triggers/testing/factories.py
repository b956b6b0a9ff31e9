"""People and flows for tests: real rows, made by the functions that the engine itself uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import channels
from ..content.files import read_letter_file
from ..content.letters import LetterSource
from ..definitions import FlowDefinition, read_flow_file
from ..engine import contacts, flows, templates
from ..engine import fields as contact_fields
from ..models import ConsentAction, Contact, ContactPoint, Owner, TemplateVersion
from ..policy import consent as ledger
from ..snapshots import Person
from .clock import Clock

if TYPE_CHECKING:
    from .playing import StagedFlow

#: A text that says nothing in particular, for tests of the flow around it.
TEXT = 'Dear {{ contact.first_name|default:"friend" }}: {{ shop.url }}'
#: A letter of that kind.
BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{ contact.first_name|default:"friend" }}</mj-text>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ shop.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>"""


def contact(
    email: str = "anna@example.com",
    *,
    now: datetime,
    topics: Sequence[str] = ("offers",),
    user_id: Any = None,
    memory: str = "",
    fields: Mapping[str, Any] | None = None,
    tags: Sequence[str] = (),
    **person: Any,
) -> Contact:
    """Make a contact who agreed, at `now` (UTC), to letters about these topics; return it.

    `topics=()` leaves the consent out. `memory` is a point on the channel "memory", agreed to as
    well. More of the person (first_name, language, time_zone, phone …) goes by the names of
    `snapshots.Person`.
    """
    points = {"memory": memory} if memory else {}
    someone = Person(email=email, user_id=user_id, points=points, **person)
    [contact_id] = contacts.resolve_many([(someone, None)], now)
    if contact_id is None:
        raise ValueError("Nobody can be known by this: give an email or a user_id.")
    ledger.write_many(
        [
            ledger.Line(
                channel=point.channel,
                point_hash=point.point_hash,
                topic=topic,
                action=ConsentAction.GRANT,
                contact_id=contact_id,
                text="Write to me.",
                source="test",
                occurred_at=now,
            )
            for point in ContactPoint.objects.filter(contact_id=contact_id)
            for topic in topics
        ],
        now,
    )
    _describe(contact_id, fields or {}, tags, now)
    return Contact.objects.get(pk=contact_id)


def _describe(
    contact_id: int, values: Mapping[str, Any], tags: Sequence[str], now: datetime
) -> None:
    for name, value in values.items():
        contact_fields.set_field_many([contact_id], name, value, now)
    for tag in tags:
        contact_fields.add_tag_many([contact_id], tag, now)


def letter(
    key: str,
    *,
    now: datetime,
    subject: str = "",
    body: str = BODY,
    language: str = "en",
    file: Path | None = None,
) -> TemplateVersion:
    """Publish a letter, a plain one unless told otherwise, or that of a file."""
    channel = "email"
    if file is not None:
        read = read_letter_file(file.read_text(encoding="utf-8"), language)
        source, channel = read.source, read.channel
    else:
        source = LetterSource(subject=subject or f"Letter {key}", body=body, language=language)
    return templates.publish(
        key, key, source, owner=Owner.FILE, now=now, channel=channel, take_over=True
    )


def text(
    key: str, words: str = TEXT, *, channel: str, now: datetime, language: str = "en"
) -> TemplateVersion:
    """Publish a text for a channel that sends nothing but words."""
    source = LetterSource(subject="", body="", text=words, language=language)
    return templates.publish(
        key, key, source, owner=Owner.FILE, now=now, channel=channel, take_over=True
    )


def flow(
    source: str | Path | Mapping[str, Any] | FlowDefinition,
    *,
    clock: Clock | None = None,
    make_letters: bool = True,
) -> StagedFlow:
    """Publish a flow from YAML text, a file, plain values or a definition; return it on a stage.

    Letters that are not published yet are made up, plain ones, unless `make_letters` is off.
    Raises DefinitionError for a flow that cannot be published.
    """
    from .playing import StagedFlow

    clock = clock or Clock()
    definition = _definition(source)
    if make_letters:
        for step, *_rest in definition.walk():
            key = step.options.get("template")
            channel = str(step.options.get("channel", "email"))
            if key and not templates.languages(str(key)):
                if channels.takes_text(channel):
                    text(str(key), channel=channel, now=clock.now)
                else:
                    letter(str(key), now=clock.now)
    version = flows.publish(definition, owner=Owner.FILE, now=clock.now, take_over=True)
    return StagedFlow(version=version, definition=definition, clock=clock)


def _definition(source: str | Path | Mapping[str, Any] | FlowDefinition) -> FlowDefinition:
    if isinstance(source, FlowDefinition):
        return source
    if isinstance(source, Path):
        return read_flow_file(source.read_text(encoding="utf-8"))
    if isinstance(source, str):
        return read_flow_file(source)
    return FlowDefinition.from_dict(source)
