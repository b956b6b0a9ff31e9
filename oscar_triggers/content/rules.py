"""Which element may stand where, and what it must have: by name, before mrml says less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import pgettext

from . import elements


def refusal(
    name: str, attributes: Mapping[str, str], parents: Sequence[str], *, is_first: bool
) -> str:
    """Return why an element is refused inside these parents, "" when it is not.

    `is_first` tells whether nothing but its parents came before it.
    """
    parent = parents[-1]
    values = {"name": name, "parent": parent}
    if name == "mj-include":
        return pgettext("triggers", "<mj-include> is not possible; write the text here")
    if name in elements.REFUSED_ELEMENTS:
        return pgettext("triggers", "<%(name)s> is not possible in a letter") % values
    if name.startswith("mj") and name not in elements.KNOWN_MJML:
        return pgettext("triggers", "<%(name)s> is not known") % values
    if name == "mj-style" and attributes.get("inline"):
        return pgettext("triggers", "inline styles are not possible; write attributes")
    if name == "meta" and "http-equiv" in attributes:
        return pgettext("triggers", "<meta http-equiv> is not possible in a letter")
    if "mj-attributes" in parents:
        # Here elements only name the defaults of their kind.
        return ""
    if name == "mj-head" and not is_first:
        return pgettext("triggers", "<mj-head> stands before <mj-body>")
    allowed = elements.CHILDREN.get(parent)
    if (name not in allowed) if allowed is not None else name.startswith("mj"):
        if not parent:
            return pgettext("triggers", "<%(name)s> stands outside of <mjml>") % values
        return pgettext("triggers", "<%(name)s> cannot stand in <%(parent)s>") % values
    if name in elements.PICTURES and "alt" not in attributes:
        message = pgettext(
            "triggers",
            '<%(name)s> needs an alt text for those who do not see it (alt="" for mere decoration)',
        )
        return message % values
    return ""
