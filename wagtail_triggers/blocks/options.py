"""One form block for one option of a kind, chosen by the option's type and metadata."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Union, get_args, get_origin

from django import forms
from django.utils.text import capfirst
from django.utils.translation import pgettext_lazy
from wagtail import blocks

from oscar_triggers.conditions import Condition
from oscar_triggers.kinds import Kind, format_duration, parse_duration, to_json

from .choices import flow_choices, template_choices
from .durations import DurationBlock, join_duration, split_duration
from .vouchers import VoucherBlock, voucher_option, voucher_value
from .weights import WeightsBlock, weights_option, weights_value

#: Formats whose options hold a condition as {"kind": …, option: value}.
CONDITION_FORMATS = frozenset({"condition"})
#: Formats whose options hold a list of such conditions.
CONDITION_LIST_FORMATS = frozenset({"conditions"})
VOUCHER = "voucher"
WEIGHTS = "weights"
#: Formats whose options hold a key, chosen by name.
KEYS: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "template": template_choices,
    "flow": flow_choices,
}
#: Help that differs from what authors of files read.
HELP: dict[str, Any] = {
    "flow": pgettext_lazy(
        "triggers", "It must be published, and start with the same kind of thing, as a basket."
    ),
}
_TEXT_FORMATS: dict[str, Callable[..., blocks.Block]] = {
    "": blocks.CharBlock,
    "multiline": lambda **kwargs: blocks.TextBlock(rows=4, **kwargs),
    "email": blocks.EmailBlock,
    "url": blocks.URLBlock,
}
_SCALARS: dict[Any, Callable[..., blocks.Block]] = {
    int: blocks.IntegerBlock,
    float: blocks.FloatBlock,
    Decimal: blocks.DecimalBlock,
    datetime: blocks.DateTimeBlock,
    date: blocks.DateBlock,
    time: blocks.TimeBlock,
}


class KeyBlock(blocks.ChoiceBlock):
    """A choice among what is in the database; the database is asked only when it is shown."""

    def normalize_choice(self, value: Any) -> Any:
        """Return a key as it is: Wagtail reads all choices to find its type, for each block."""
        return value


class JSONBlock(blocks.TextBlock):
    """An option whose type no form field knows, as JSON text."""

    def clean(self, value: Any) -> Any:
        """Refuse text that is not JSON."""
        cleaned = super().clean(value)
        if cleaned:
            try:
                json.loads(cleaned)
            except ValueError as error:
                raise blocks.StructBlockValidationError(non_block_errors=[str(error)]) from error
        return cleaned


def plain_type(annotation: Any) -> tuple[Any, bool]:
    """Return the annotation without None, and whether None was allowed."""
    if get_origin(annotation) in (Union, types.UnionType):
        arguments = [arg for arg in get_args(annotation) if arg is not type(None)]
        return arguments[0], len(arguments) < len(get_args(annotation))
    return annotation, False


def is_condition(option: Field[Any], annotation: Any) -> bool:
    """Say whether an option holds a condition."""
    kind, _nullable = plain_type(annotation)
    if isinstance(kind, type) and issubclass(kind, Condition):
        return True
    return option.metadata.get("format") in CONDITION_FORMATS or (
        option.name == "condition" and _is_mapping(kind)
    )


def is_condition_list(option: Field[Any]) -> bool:
    """Say whether an option holds a list of conditions."""
    return option.metadata.get("format") in CONDITION_LIST_FORMATS


def option_label(option: Field[Any]) -> Any:
    """Return what an option is called."""
    return option.metadata.get("label") or capfirst(option.name.replace("_", " "))


def option_block(
    option: Field[Any], annotation: Any, condition_block: Callable[..., blocks.Block]
) -> blocks.Block:
    """Return the block that edits an option; `condition_block` builds the one for a condition."""
    kind, nullable = plain_type(annotation)
    default = default_of(option)
    kwargs: dict[str, Any] = {
        "label": option_label(option),
        "help_text": HELP.get(option.metadata.get("format", ""))
        or option.metadata.get("help_text"),
        "required": default is MISSING and not nullable,
    }
    if is_condition(option, annotation):
        return condition_block(**kwargs)
    if is_condition_list(option):
        return condition_block(many=True, **kwargs)
    if option.metadata.get("format") == WEIGHTS:
        return WeightsBlock(label=kwargs["label"], help_text=kwargs["help_text"])
    if option.metadata.get("format") == VOUCHER:
        return VoucherBlock(label=kwargs["label"], required=kwargs["required"])
    start = None if default is MISSING else default
    if kind is timedelta:
        return DurationBlock(default=start, **kwargs)
    if kind is bool:
        return blocks.BooleanBlock(default=bool(start), **{**kwargs, "required": False})
    choices = KEYS.get(option.metadata.get("format", ""), option.metadata.get("choices"))
    if get_origin(kind) in (tuple, list):
        return _list_block(kind, choices, start, kwargs)
    if choices is not None:
        if option.metadata.get("format") == "template":
            kwargs["form_attrs"] = {"data-controller": "triggers-letter"}
        is_key = option.metadata.get("format") in KEYS
        build_choice = KeyBlock if is_key else blocks.ChoiceBlock
        return build_choice(choices=choices, default=start, **kwargs)
    if kind is str:
        build = _TEXT_FORMATS.get(option.metadata.get("format", ""), blocks.CharBlock)
        return build(default=start or "", **kwargs)
    if kind in _SCALARS:
        return _SCALARS[kind](default=start, **kwargs)
    text = "" if start is None else json.dumps(to_json(start))
    return JSONBlock(default=text, rows=4, **kwargs)


def to_option(option: Field[Any], annotation: Any, value: Any) -> Any:
    """Turn a block's value into the option's JSON value; MISSING where it was left out."""
    kind, nullable = plain_type(annotation)
    # An option that may be None and is something else by itself was emptied on purpose.
    emptied = None if nullable and default_of(option) not in (None, MISSING) else MISSING
    if is_condition(option, annotation) or is_condition_list(option):
        return value or MISSING
    if option.metadata.get("format") == WEIGHTS:
        return weights_option(value) or MISSING
    if option.metadata.get("format") == VOUCHER:
        voucher = voucher_option(value)
        return MISSING if voucher is None else voucher
    if kind is timedelta:
        duration = join_duration(value)
        return emptied if duration is None else format_duration(duration)
    if kind is bool:
        return bool(value)
    if get_origin(kind) in (tuple, list):
        return [to_json(item) for item in value or ()]
    if value in (None, ""):
        # Text may be empty on purpose; anything else that is empty was left out.
        return "" if kind is str and default_of(option) == "" else emptied
    if kind is str or kind in _SCALARS:
        return to_json(value)
    return json.loads(value)


def from_option(option: Field[Any], annotation: Any, value: Any) -> Any:
    """Turn an option's JSON value into what the block stores."""
    kind, _nullable = plain_type(annotation)
    if option.metadata.get("format") == VOUCHER:
        return voucher_value(value)
    if option.metadata.get("format") == WEIGHTS:
        return weights_value(value)
    if kind is timedelta:
        if value is None:
            return {"amount": None, "unit": "h"}
        return split_duration(value if isinstance(value, timedelta) else parse_duration(str(value)))
    if kind in _SCALARS or kind in (str, bool) or get_origin(kind) in (tuple, list):
        return to_json(value)
    return json.dumps(to_json(value))


def _list_block(kind: Any, choices: Any, start: Any, kwargs: dict[str, Any]) -> blocks.Block:
    if choices is not None:
        return blocks.MultipleChoiceBlock(
            choices=choices,
            default=list(start or ()),
            widget=forms.CheckboxSelectMultiple,
            **kwargs,
        )
    item_type = (get_args(kind) or (str,))[0]
    item = _SCALARS.get(item_type, blocks.CharBlock)()
    kwargs.pop("required")
    return blocks.ListBlock(item, default=list(start or ()), **kwargs)


def default_of(option: Field[Any]) -> Any:
    """Return the default of an option, MISSING where it has none."""
    if option.default is not MISSING:
        return option.default
    if option.default_factory is not MISSING:
        return option.default_factory()
    return MISSING


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return origin is Any or (
        isinstance(origin, type) and (issubclass(origin, Mapping | Kind) or origin is dict)
    )
