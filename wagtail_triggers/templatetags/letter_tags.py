"""Writes merge tags from a block's `.mjml` template, whose own tags look the same."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag
def merge(path: str, filters: str = "") -> SafeString:
    """Write a value that the letter is filled with: `{% merge "line.title" 'truncate:"120"' %}`."""
    piped = f"|{filters}" if filters else ""
    return mark_safe(f"{{{{ {path}{piped} }}}}")  # noqa: S308 - for the letters' own grammar


@register.simple_tag
def logic(*words: str) -> SafeString:
    """Write a choice or a repetition: `{% logic "for line in" lines %}`, `{% logic "endfor" %}`."""
    return mark_safe(f"{{% {' '.join(words)} %}}")  # noqa: S308 - for the letters' own grammar
