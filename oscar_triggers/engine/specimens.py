"""Specimens: what a reader would hold in hands, with links as short and as long as theirs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..conf import site_settings, triggers_settings
from ..content import context, links, rendering, targets
from ..content.letters import CompiledLetter, Letter

#: Stands for the id of a message that does not exist.
_NOBODY = "x" * links.PUBLIC_ID_LENGTH


def specimen(
    compiled: CompiledLetter,
    values: Mapping[str, Any],
    *,
    time_zone: str = "",
    site_id: int | None = None,
) -> Letter:
    """Return a letter as it would arrive; raises LetterTooLong or UnfitValue."""
    addresses = links.Addresses(site_settings(site_id).base_url)
    own = {
        "unsubscribe": addresses.unsubscribe(_NOBODY),
        "preferences": addresses.preferences(_NOBODY),
        "basket": addresses.basket(_NOBODY),
    }
    begin: targets.Begin | None = None
    if triggers_settings().track_clicks:
        begin = partial(targets.Numbered, addresses.click_prefix(_NOBODY))
    return rendering.fill(
        compiled,
        context.merge(values, {"links": own}),
        language=compiled.language,
        time_zone=time_zone,
        links=begin,
    )
