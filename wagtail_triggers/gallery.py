"""The flows that ship, as the page that offers them shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import get_language, pgettext

from oscar_triggers.conf import PROMOTIONAL, triggers_settings
from oscar_triggers.content import presets as shipped
from oscar_triggers.content.files import read_letter_file
from oscar_triggers.content.presets import Preset
from oscar_triggers.models import Flow, Owner

from .models import FlowDraft
from .outline import Line, outline, trigger_line
from .pictures import Picture, picture_of
from .ready_words import about_of, title_of
from .states import LABELS, flow_runs, flow_state, with_engine_state

ABSENT = "absent"
FILE = "file"


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One letter of a flow, in the languages that ship."""

    name: str
    languages: str


@dataclass(frozen=True, kw_only=True)
class Need:
    """What the shop must have for the flow to write to anybody."""

    text: str
    #: Said where it is missing.
    what_to_do: str = ""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """One flow that ships, and where it stands in this shop."""

    name: str
    title: str
    about: str
    starts: Line | None
    lines: tuple[Line, ...]
    letters: tuple[Letter, ...]
    needs: tuple[Need, ...]
    #: ABSENT, FILE, or a key of states.LABELS.
    state: str
    state_label: Any
    runs: bool
    draft: FlowDraft | None
    picture: Picture

    @property
    def can_be_drafted(self) -> bool:
        """Say whether there is nothing yet, neither a draft nor a flow of a file."""
        return self.state == ABSENT

    @property
    def can_be_switched_on(self) -> bool:
        """Say whether switching it on would change something."""
        return self.state in (ABSENT, "draft", "archived")


@dataclass(frozen=True, kw_only=True)
class Start:
    """A flow that ships, as the list of flows offers it: a picture to begin with."""

    name: str
    title: str
    about: str
    picture: Picture


def starts() -> list[Start]:
    """Return what a new flow can be made of, by its title; the database is not asked."""
    found = (
        Start(
            name=preset.name,
            title=title_of(preset),
            about=about_of(preset),
            picture=picture_of(preset.definition),
        )
        for preset in shipped.every()
    )
    return sorted(found, key=lambda one: one.title.lower())


def gallery() -> list[Ready]:
    """Return every flow that ships, by its title; two queries for all."""
    found = list(shipped.every())
    keys = [preset.definition.key for preset in found]
    drafts = with_engine_state(FlowDraft.objects.filter(key__in=keys)).in_bulk(field_name="key")
    of_files = set(
        Flow.objects.filter(key__in=keys, owner=Owner.FILE).values_list("key", flat=True)
    )
    return sorted(
        (_ready(preset, drafts, of_files) for preset in found), key=lambda one: one.title.lower()
    )


def _ready(preset: Preset, drafts: Mapping[str, FlowDraft], of_files: set[str]) -> Ready:
    definition = preset.definition
    draft = drafts.get(definition.key)
    state, label, runs = ABSENT, pgettext("triggers", "not in your shop yet"), False
    if definition.key in of_files:
        state, label, runs = FILE, pgettext("triggers", "published from its file"), True
    elif draft is not None:
        state = flow_state(draft)
        label, runs = LABELS[state], flow_runs(draft)
    letters = dict(_letters(preset))
    names = {"template": {key: letter.name for key, letter in letters.items()}}
    return Ready(
        name=preset.name,
        title=title_of(preset),
        about=about_of(preset),
        starts=trigger_line(definition),
        lines=outline(definition, names=names),
        letters=tuple(letters.values()),
        needs=tuple(_needs(preset)),
        state=state,
        state_label=label,
        runs=runs,
        draft=draft,
        picture=picture_of(definition),
    )


def _letters(preset: Preset) -> Iterator[tuple[str, Letter]]:
    """Yield the letters by key, each called what the reader's language calls it."""
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for path in preset.letters:
        key, _dot, language = path.stem.rpartition(".")
        texts[key][language] = path.read_text(encoding="utf-8")
    for key, by_language in texts.items():
        language = _preferred(by_language)
        yield (
            key,
            Letter(
                name=read_letter_file(by_language[language], language).name or key,
                languages=", ".join(_language_name(one) for one in by_language),
            ),
        )


def _preferred(languages: Iterable[str]) -> str:
    offered = list(languages)
    for wanted in (get_language() or "", settings.LANGUAGE_CODE, "en"):
        if wanted.partition("-")[0] in offered:
            return wanted.partition("-")[0]
    return offered[0]


def _language_name(code: str) -> str:
    return str(dict(settings.LANGUAGES).get(code, code))


def _needs(preset: Preset) -> Iterator[Need]:
    known = triggers_settings()
    definition = preset.definition
    if definition.stream != PROMOTIONAL:
        yield Need(
            text=pgettext(
                "triggers", "No consent: it answers what somebody did, and offers nothing."
            )
        )
        return
    topic = known.topics.get(definition.topic)
    yield Need(
        text=pgettext("triggers", "Consent to “%(topic)s”: who never gave it gets no letter.")
        % {"topic": topic or definition.topic},
        what_to_do=""
        if topic
        else pgettext("triggers", 'Have your developer add it to OSCAR_TRIGGERS["TOPICS"].'),
    )
    yield Need(
        text=pgettext("triggers", "The shop's postal address, in the foot of every letter."),
        what_to_do=""
        if known.postal_address
        else pgettext("triggers", 'Have your developer set OSCAR_TRIGGERS["POSTAL_ADDRESS"].'),
    )
