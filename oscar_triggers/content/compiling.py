"""From an author's text to a compiled letter, or to every problem that it has."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from functools import partial

from django.utils.translation import pgettext

from .. import channels
from ..exceptions import Problem, TemplateError
from . import grammar, markup, mjml, notes, plaintext, tags, targets
from .grammar import Piece
from .letters import CompiledLetter, LetterSource
from .nodes import Literal, Nodes
from .tokens import Tokens
from .values import locale_for

#: What a promotional letter must say, by law in most countries and by mailboxes' rules.
PROMOTIONAL_PATHS = ("links.unsubscribe", "shop.postal_address")

_BODY = re.compile(r"<body[^>]*>")
_LINE_BEGIN = re.compile(r"(?:\A|\n)([ \t]*)\Z")
_LINE_REST = re.compile(r"[ \t]*(?:\n|\Z)")


def compile_letter(
    source: LetterSource,
    *,
    known: Iterable[str] | None = None,
    run: mjml.Runner = mjml.run_here,
) -> CompiledLetter:
    """Compile a letter once and for all; raises TemplateError with every problem found.

    `known` are the merge paths it may use, by default all registered ones.
    """
    problems: list[Problem] = []
    paths = tags.known_paths() if known is None else tags.with_lists(known)
    if len(source.body) > mjml.MAX_LENGTH:
        raise TemplateError([_too_long(len(source.body))])
    body_text = notes.without_notes(source.body, problems)
    read = {
        "subject": grammar.read(source.subject, where="subject", problems=problems),
        "preheader": grammar.read(source.preheader, where="preheader", problems=problems),
        "text": grammar.read(source.text, where="text", problems=problems),
        "body": grammar.read(body_text, where="body", problems=problems),
    }
    read["text"] = _without_block_lines(read["text"])
    nodes = {
        where: grammar.nest(pieces, where=where, problems=problems)
        for where, pieces in read.items()
    }
    for where, pieces in read.items():
        tags.check_paths(pieces, paths, where=where, problems=problems)
    if not source.subject.strip():
        message = pgettext("triggers", "write a subject")
        problems.append(Problem(where="subject", message=message))
    tokens = Tokens(source.subject, source.preheader, source.body)
    prepared = markup.Reader(
        read["body"],
        tokens,
        problems,
        language=source.language,
        direction=locale_for(source.language).text_direction,
        title=tokens.written(_escaped(read["subject"])),
        preview=tokens.written(_escaped(read["preheader"])),
    ).read()
    if problems:
        raise TemplateError(problems)
    compiled = _in_main(tokens.unguard(run(prepared)))
    html_nodes = _restored(compiled, tokens)
    text, derived = nodes["text"], not source.text.strip()
    if derived:
        pieces = tokens.pieces(plaintext.derive(compiled, tokens))
        text = grammar.nest(pieces, where="text", problems=problems)
    if problems:
        raise TemplateError(problems)
    return CompiledLetter(
        language=source.language,
        subject=nodes["subject"],
        preheader=nodes["preheader"],
        html=html_nodes,
        text=text,
        text_is_derived=derived,
    )


def compile_text(
    source: LetterSource, *, known: Iterable[str] | None = None, longest: int = 0
) -> CompiledLetter:
    """Compile a message that is nothing but words; raises TemplateError with every problem found.

    `longest` is how many characters its channel takes, where it says so: what the author wrote
    around merge tags must fit by itself.
    """
    problems: list[Problem] = []
    if not source.text.strip():
        raise TemplateError([Problem(where="text", message=pgettext("triggers", "write a text"))])
    if len(source.text) > mjml.MAX_LENGTH:
        raise TemplateError([_too_long(len(source.text), where="text")])
    pieces = _without_block_lines(grammar.read(source.text, where="text", problems=problems))
    text = grammar.nest(pieces, where="text", problems=problems)
    paths = tags.known_paths() if known is None else tags.with_lists(known)
    tags.check_paths(pieces, paths, where="text", problems=problems)
    length = sum(len(piece.text) for piece in pieces if isinstance(piece, Literal))
    if longest and length > longest and not problems:
        problems.append(_too_long(length, longest, where="text"))
    if problems:
        raise TemplateError(problems)
    return CompiledLetter(
        language=source.language,
        subject=(),
        preheader=(),
        html=(),
        text=text,
        text_is_derived=False,
    )


def compile_for(channel: str, source: LetterSource) -> CompiledLetter:
    """Compile what a channel takes: a letter, or nothing but words; raises TemplateError."""
    if not channels.takes_text(channel):
        return compile_letter(source)
    if channel not in channels.registry:
        message = pgettext("triggers", "no app brings the channel '%(channel)s'")
        raise TemplateError([Problem(where="channel", message=message % {"channel": channel})])
    return compile_text(source, longest=channels.registry.get(channel).longest)


#: Compiles like compile_letter, with mrml in a short-lived process: for editors' previews.
compile_in_subprocess = partial(compile_letter, run=mjml.run_in_process)


def promotional_problems(compiled: CompiledLetter) -> list[Problem]:
    """Return what a promotional letter lacks: a way out, and the sender's address."""
    return [
        Problem(
            where="body",
            message=pgettext(
                "triggers", "a promotional letter must say {{ %(path)s }}, best in its last lines"
            )
            % {"path": path},
        )
        for path in PROMOTIONAL_PATHS
        if path not in compiled.paths
    ]


def _in_main(compiled: str) -> str:
    """Return HTML whose body is a <main>: opened as a page of its own, a letter has its landmark.

    mrml has no element for it. A mail program that does not know it shows what is in it.
    """
    opened = _BODY.sub(r"\g<0><main>", compiled, count=1)
    return "</main></body>".join(opened.rsplit("</body>", 1))


def _restored(compiled: str, tokens: Tokens) -> Nodes:
    """Put the tags back into compiled HTML; raises TemplateError for those that were lost."""
    compiled = targets.mark(compiled, tokens)
    pieces = tokens.pieces(compiled)
    problems: list[Problem] = []
    found = {number for number in tokens.split(compiled) if isinstance(number, int)}
    for number, tag in enumerate(tokens.tags):
        if number not in found:
            message = pgettext("triggers", "%(tag)s would be lost here") % {
                "tag": grammar.shorten(tag.source)
            }
            problems.append(Problem(where="body", line=tag.line, message=message))
    nodes = grammar.nest(pieces, where="body", problems=problems)
    if problems:
        raise TemplateError(problems)
    return nodes


def _escaped(pieces: Sequence[Piece]) -> list[Piece]:
    return [
        Literal(text=html.escape(piece.text)) if isinstance(piece, Literal) else piece
        for piece in pieces
    ]


def _without_block_lines(pieces: Sequence[Piece]) -> list[Piece]:
    """Return a plain text in which a block tag alone on its line takes no line of the letter."""
    result = list(pieces)
    for position, piece in enumerate(pieces):
        if isinstance(piece, Literal) or piece.output is not None:
            continue
        before = result[position - 1] if position else Literal(text="\n")
        after = result[position + 1] if position + 1 < len(result) else Literal(text="\n")
        if not isinstance(before, Literal) or not isinstance(after, Literal):
            continue
        starts = _LINE_BEGIN.search(before.text)
        ends = _LINE_REST.match(after.text)
        if starts is None or ends is None:
            continue
        if position:
            result[position - 1] = Literal(text=before.text[: starts.start(1)])
        if position + 1 < len(result):
            result[position + 1] = Literal(text=after.text[ends.end() :])
    return result


def _too_long(length: int, limit: int = mjml.MAX_LENGTH, *, where: str = "body") -> Problem:
    message = pgettext("triggers", "is %(length)d characters long; %(limit)d are possible") % {
        "length": length,
        "limit": limit,
    }
    return Problem(where=where, message=message)
