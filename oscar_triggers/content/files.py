"""Letters as files: a few lines of YAML between `---`, then MJML, or the words of a message."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from .. import channels
from ..exceptions import Problem, TemplateError
from .letters import LetterSource

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_FIELDS = ("name", "channel", "subject", "preheader", "text")
#: What stands before the words of a message on a channel that sends nothing else.
_OF_TEXTS = ("name", "channel")

_EMAIL = "email"


@dataclass(frozen=True, kw_only=True)
class LetterFile:
    """What a letter file holds."""

    name: str
    source: LetterSource
    channel: str = _EMAIL


def read_letter_file(text: str, language: str) -> LetterFile:
    """Read a letter file of one language; raises TemplateError that says what is missing.

    Lines of the body keep their number in the file, so that problems can be found there.
    """
    match = _FRONT.match(text)
    if match is None:
        raise _error("begin the file with ---, name, subject and preheader, and --- again", line=1)
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "write it as name: value"
        raise _error(
            f"the lines between --- cannot be read: {problem}",
            line=mark.line + 2 if mark is not None else 1,
        ) from error
    if not isinstance(front, dict):
        raise _error("the lines between --- must read name: value", line=2)
    unknown = sorted(set(map(str, front)) - set(_FIELDS))
    if unknown:
        raise _error(
            f"has unknown entries: {', '.join(unknown)} (known: {', '.join(_FIELDS)})", line=2
        )
    for field in _FIELDS:
        if field in front and not isinstance(front[field], str):
            raise _error(f"{field} must be text; put it in quotes", line=2)
    channel = front.get("channel", _EMAIL)
    if channels.takes_text(channel):
        return _read_text(front, text[match.end() :], channel, language)
    if not str(front.get("subject", "")).strip():
        raise _error("a subject is missing between the --- lines", line=2)
    body = text[match.end() :]
    return LetterFile(
        name=front.get("name") or front["subject"],
        source=LetterSource(
            subject=front["subject"],
            preheader=front.get("preheader", ""),
            text=front.get("text", ""),
            body="\n" * match[0].count("\n") + body,
            language=language,
        ),
        channel=channel,
    )


def _read_text(front: dict[str, str], words: str, channel: str, language: str) -> LetterFile:
    misplaced = sorted(set(front) - set(_OF_TEXTS))
    if misplaced:
        raise _error(f"a message on {channel} has no {', '.join(misplaced)}", line=2)
    if not front.get("name", "").strip():
        raise _error("a name is missing between the --- lines", line=2)
    source = LetterSource(subject="", body="", text=words.strip("\r\n"), language=language)
    return LetterFile(name=front["name"], source=source, channel=channel)


def write_letter_file(letter: LetterFile) -> str:
    """Write a letter file that read_letter_file reads."""
    source = letter.source
    if channels.takes_text(letter.channel):
        return _written({"name": letter.name, "channel": letter.channel}, f"{source.text}\n")
    front = {"name": letter.name, "subject": source.subject, "preheader": source.preheader}
    if letter.channel != _EMAIL:
        front["channel"] = letter.channel
    if source.text:
        front["text"] = source.text
    return _written(front, source.body.lstrip(chr(10)))


def _written(front: dict[str, str], rest: str) -> str:
    head: str = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1_000)
    return f"---\n{head}---\n{rest}"


def _error(message: str, *, line: int) -> TemplateError:
    return TemplateError([Problem(where="file", line=line, message=message)])
