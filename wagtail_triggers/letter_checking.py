"""Finds what keeps a letter from being published, and puts each problem at its place in the form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import pgettext
from wagtail.blocks import StreamBlockValidationError, StreamValue, StructBlockValidationError

from oscar_triggers.content import rendering
from oscar_triggers.content.coding import LetterTooLong
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.letters import CompiledLetter
from oscar_triggers.content.values import UnfitValue
from oscar_triggers.exceptions import Problem, TemplateError

from .inbox import Inbox, inbox_of, size_remark
from .letter_blocks.composing import Composed
from .letter_blocks.words import MJML
from .people import sample_values
from .publishing import composed, language_choices, source_of
from .text_counting import counted
from .texts import is_text

Errors = dict[str | None, list[ValidationError]]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a look at a draft that is about to be published found."""

    #: What keeps it from being published, by field; a block's stands at the block.
    errors: Errors = field(default_factory=dict)
    #: What is said when it is published all the same; "" for nothing.
    remark: str = ""


def look_at(draft: Any) -> Looked:
    """Compile a draft once, and say what keeps it from being published and what does not."""
    if is_text(draft):
        found = counted(draft, personal=False, now=timezone.now())
        errors = [ValidationError(problem) for problem in found.problems]
        return Looked(errors={"text": errors} if errors else {}, remark=found.warning)
    unfit = _unfit(draft)
    if unfit:
        return Looked(errors=unfit)
    made = composed(draft)
    try:
        compiled = compile_letter(source_of(draft, made))
    except TemplateError as error:
        return Looked(errors=_placed(error.problems, made, draft))
    inbox = _inbox(compiled)
    if inbox is None:
        return Looked()
    remark = size_remark(inbox)
    if inbox.is_refused:
        return Looked(errors=_placed([Problem(where="body", message=remark)], made, draft))
    return Looked(remark=remark)


def _inbox(compiled: CompiledLetter) -> Inbox | None:
    """Return how large a letter is with samples, as the preview measures it."""
    values, language = sample_values(compiled.language), compiled.language
    try:
        return inbox_of(rendering.fill(compiled, values, language=language, time_zone=""))
    except (UnfitValue, LetterTooLong):
        return None  # the preview says what is wrong with the values


def _unfit(draft: Any) -> Errors:
    has_body = bool(str(draft.body or "").strip())
    if draft.blocks and has_body:
        message = pgettext(
            "triggers",
            "This letter is written as MJML already. Empty the MJML, or remove the blocks.",
        )
        return {"blocks": [StreamBlockValidationError(non_block_errors=[message])]}
    if not draft.blocks and not has_body:
        message = pgettext("triggers", "Add a block: the letter is empty.")
        return {"blocks": [StreamBlockValidationError(non_block_errors=[message])]}
    return {}


def forbidden_mjml(new: Any, old: Any) -> Errors:
    """Return an error at each block whose MJML is none that stood in the letter before.

    Asked for those who may not write MJML: they may move and remove what others wrote.
    """
    kept = {text for _index, text in _mjml_of(old)}
    message = pgettext("triggers", "You may not write MJML; ask somebody who may.")
    errors = {
        index: StructBlockValidationError(non_block_errors=[message])
        for index, text in _mjml_of(new)
        if text not in kept
    }
    return {"blocks": [StreamBlockValidationError(block_errors=errors)]} if errors else {}


def _mjml_of(stream: Any) -> Iterator[tuple[int, str]]:
    """Yield the MJML of blocks, with the position of the outermost block around it."""
    for index, child in enumerate(stream):
        if child.block_type == MJML:
            yield index, str(child.value.get("mjml") or "")
        for inner in (child.value or {}).values():
            if isinstance(inner, StreamValue):
                yield from ((index, text) for _index, text in _mjml_of(inner))


def _placed(problems: list[Problem] | tuple[Problem, ...], made: Composed, draft: Any) -> Errors:
    """Return problems as form errors; those of the MJML of a block stand at that block."""
    found: Errors = defaultdict(list)
    of_blocks: dict[int, list[str]] = defaultdict(list)
    aside: list[str] = []
    for problem in problems:
        if problem.where != "body" or not draft.blocks:
            found[problem.where].append(ValidationError(problem_text(problem)))
            continue
        index = made.index_at(problem.line) if problem.line else None
        message = capfirst(problem.message)
        if index is None:
            aside.append(message)
        elif message not in of_blocks[index]:
            of_blocks[index].append(message)
    if of_blocks or aside:
        found["blocks"] = [
            StreamBlockValidationError(
                block_errors={
                    index: StructBlockValidationError(non_block_errors=texts)
                    for index, texts in of_blocks.items()
                },
                non_block_errors=aside,
            )
        ]
    return dict(found)


def texts_of(errors: Errors, draft: Any) -> Iterator[str]:
    """Yield errors of a draft as sentences that say their place, for where no form shows them."""
    for name, found in errors.items():
        label = capfirst(draft._meta.get_field(name).verbose_name) if name else ""
        for error in found:
            if not isinstance(error, StreamBlockValidationError):
                yield from (_at(label, text) for text in error.messages)
                continue
            yield from error.non_block_errors
            for index, inner in sorted(error.block_errors.items()):
                place = block_label(draft, index)
                yield from (_at(place, text) for text in inner.non_block_errors)


def _at(place: str, text: str) -> str:
    if not place:
        return text
    return pgettext("triggers", "%(place)s: %(problem)s") % {"place": place, "problem": text}


def block_label(draft: Any, index: int) -> str:
    """Return how a block of a letter is called where no form shows it: its number and kind."""
    return pgettext("triggers", "Block %(number)d, %(label)s") % {
        "number": index + 1,
        "label": draft.blocks[index].block.label,
    }


def problem_text(problem: Problem) -> str:
    """Say a problem beside its field, with the line where it has one."""
    message = capfirst(problem.message)
    if problem.line:
        return pgettext("triggers", "Line %(line)d: %(message)s") % {
            "line": problem.line,
            "message": message,
        }
    return str(message)


def letter_warnings(draft: Any) -> list[str]:
    """Return what does not keep a saved draft from being published, and is worth a look."""
    found = [*_missing_languages(draft)]
    if is_text(draft):
        looked = counted(draft, personal=False, now=timezone.now())
        return [*found, *looked.problems, *filter(None, [looked.warning])]
    if draft.blocks:
        found += [
            _at(block_label(draft, index), warning)
            for index, child in enumerate(draft.blocks)
            for warning in child.block.warnings(child.value)
        ]
    return found


def _missing_languages(draft: Any) -> list[str]:
    """Name the shop's languages in which the letter does not exist: others read this one."""
    if not draft.key:
        return []
    written = set(
        type(draft)._default_manager.filter(key=draft.key).values_list("language", flat=True)
    )
    missing = [str(name) for code, name in language_choices() if code not in written]
    if not missing or not written:
        return []
    return [
        pgettext(
            "triggers",
            "Not written in %(languages)s: readers of these get it in another language.",
        )
        % {"languages": ", ".join(missing)}
    ]
