"""Takes an author's `<!-- notes -->` out of a letter before anything else reads it."""

from __future__ import annotations

import re

from django.utils.translation import pgettext

from ..exceptions import Problem

WHERE = "body"

_NOTE = re.compile(r"<!--(.*?)-->", re.DOTALL)


def without_notes(source: str, problems: list[Problem]) -> str:
    """Return the source without `<!-- notes -->`; lines keep their numbers."""

    def blank(match: re.Match[str]) -> str:
        if match[1].lstrip().lower().startswith(("[if", "[endif", "<![")):
            line = 1 + source.count("\n", 0, match.start())
            message = pgettext(
                "triggers", "Outlook's conditional comments are not possible; MJML writes its own"
            )
            problems.append(Problem(where=WHERE, line=line, message=message))
        return "\n" * match[0].count("\n")

    cleaned = _NOTE.sub(blank, source)
    position = cleaned.find("<!--")
    if position >= 0:
        message = pgettext("triggers", "“<!--” is never closed; end it with “-->”")
        line = 1 + cleaned.count("\n", 0, position)
        problems.append(Problem(where=WHERE, line=line, message=message))
    return cleaned
