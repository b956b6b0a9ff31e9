"""What MJML and HTML elements and attributes a letter may use, and where merge tags survive."""

from __future__ import annotations

_CONTENT = frozenset(
    {
        "mj-accordion",
        "mj-button",
        "mj-carousel",
        "mj-divider",
        "mj-image",
        "mj-navbar",
        "mj-raw",
        "mj-social",
        "mj-spacer",
        "mj-table",
        "mj-text",
    }
)

#: Which elements may stand directly in which; elements that are not listed hold text and HTML.
CHILDREN: dict[str, frozenset[str]] = {
    "": frozenset({"mjml"}),
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset(
        {
            "mj-attributes",
            "mj-breakpoint",
            "mj-font",
            "mj-preview",
            "mj-raw",
            "mj-style",
            "mj-title",
        }
    ),
    "mj-body": frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _CONTENT,
    "mj-hero": _CONTENT,
    "mj-social": frozenset({"mj-social-element"}),
    "mj-navbar": frozenset({"mj-navbar-link"}),
    "mj-accordion": frozenset({"mj-accordion-element"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    **{
        name: frozenset[str]()
        for name in (
            "mj-breakpoint",
            "mj-carousel-image",
            "mj-divider",
            "mj-font",
            "mj-image",
            "mj-spacer",
        )
    },
}

#: MJML elements that hold text and HTML.
FREE = frozenset(
    {
        "mj-accordion-text",
        "mj-accordion-title",
        "mj-button",
        "mj-navbar-link",
        "mj-preview",
        "mj-raw",
        "mj-social-element",
        "mj-table",
        "mj-text",
        "mj-title",
    }
)

KNOWN_MJML = frozenset().union(*CHILDREN.values(), FREE, {"mj-all", "mj-class"})

#: MJML elements between whose children `{% if %}` and `{% for %}` survive the compilation.
BLOCK_PARENTS = frozenset(
    {"mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"}
)

#: Parents that compute the width of columns from their number.
WIDTH_PARENTS = frozenset({"mj-section", "mj-group"})

#: Attributes of MJML elements that reach the HTML as they are written; the layout is computed
#: from all others, so a merge tag there would be lost or change the letter around it.
TAG_ATTRIBUTES = frozenset(
    {
        "alt",
        "background-color",
        "background-url",
        "color",
        "container-background-color",
        "css-class",
        "href",
        "inner-background-color",
        "rel",
        "src",
        "target",
        "title",
    }
)

ADDRESS_ATTRIBUTES = frozenset(
    {"action", "background", "background-url", "cite", "href", "poster", "src", "xlink:href"}
)
STYLE_ATTRIBUTES = frozenset(
    {
        "background-color",
        "bgcolor",
        "color",
        "container-background-color",
        "inner-background-color",
        "style",
    }
)
ADDRESS_SCHEMES = ("https://", "http://", "mailto:", "tel:")

#: HTML elements that run code, load other pages, or that mailboxes remove.
REFUSED_ELEMENTS = frozenset(
    {
        "applet",
        "base",
        "body",
        "embed",
        "form",
        "frame",
        "frameset",
        "head",
        "html",
        "iframe",
        "input",
        "link",
        "math",
        "noscript",
        "object",
        "script",
        "svg",
        "template",
        "textarea",
        "title",
        "xml",
    }
)
VOID_ELEMENTS = frozenset({"area", "br", "col", "hr", "img", "meta", "source", "track", "wbr"})

#: Elements that show a picture and need a text for those who do not see it.
PICTURES = frozenset({"img", "mj-carousel-image", "mj-image", "mj-social-element"})
