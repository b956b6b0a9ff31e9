"""Letters that inform are no adverts: what a transactional flow may not say (C6)."""

from __future__ import annotations

from django.utils.translation import pgettext

from ...conf import TRANSACTIONAL
from ...content.letters import CompiledLetter
from ...definitions import FlowDefinition
from ...engine import templates
from ...engine.checking import Finding, Level, advise

#: What a letter says that sells.
_ADVERTS = ("recommended", "voucher")


@advise
def letters_that_inform_sell_nothing(definition: FlowDefinition) -> list[Finding]:
    """Name letters of a transactional flow that recommend goods, or speak of a voucher.

    They go to people who agreed to none, and to those who unsubscribed.
    """
    if definition.stream != TRANSACTIONAL:
        return []
    found = []
    for step, *_rest in definition.walk():
        template = str(step.options.get("template", "")) if step.kind == "send" else ""
        for language in templates.languages(template) if template else ():
            try:
                letter = CompiledLetter.from_json(templates.live(template, language).compiled)
            except (ValueError, KeyError):
                continue  # Compiled by another release: `problems` says so.
            adverts = sorted(path for path in letter.paths if _is_advert(path))
            if adverts:
                found.append(
                    Finding(
                        level=Level.WARNING,
                        rule="mixed_streams",
                        where=f"steps › {step.key} › {template} ({language})",
                        message=pgettext(
                            "triggers",
                            "%(tags)s: advertising in a letter that is sent without consent, also "
                            "to those who unsubscribed",
                        )
                        % {"tags": ", ".join(adverts)},
                        advice=pgettext(
                            "triggers", "take it out, or tell it in a promotional flow of its own"
                        ),
                    )
                )
    return found


def _is_advert(path: str) -> bool:
    # A bundle says of each thing: items[].recommended.…
    parts = path.replace("[]", "").split(".")
    return any(part in _ADVERTS for part in parts[:2])
