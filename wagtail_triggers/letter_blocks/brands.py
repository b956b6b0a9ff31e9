"""How letters of the shop look: plain values, whoever keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Stacks of fonts that readers have; letters load none.
FONTS = {
    "system": "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
    "serif": "Georgia, 'Times New Roman', Times, serif",
    "humanist": "'Trebuchet MS', Verdana, Geneva, sans-serif",
    "mono": "'Courier New', Courier, monospace",
}

#: Networks by the name of their field, as readers know them.
NETWORKS = {
    "instagram": "Instagram",
    "facebook": "Facebook",
    "youtube": "YouTube",
    "tiktok": "TikTok",
    "pinterest": "Pinterest",
    "telegram": "Telegram",
    "vk": "VK",
}


@dataclass(frozen=True, kw_only=True)
class Colours:
    """One scheme of colours, each as #rrggbb."""

    page: str
    card: str
    text: str
    muted: str
    line: str
    accent: str
    on_accent: str


LIGHT = Colours(
    page="#f3f0ea",
    card="#ffffff",
    text="#2b2a27",
    muted="#6b675f",
    line="#e6e1d8",
    accent="#14532d",
    on_accent="#ffffff",
)
DARK = Colours(
    page="#141513",
    card="#1f211e",
    text="#f1eee6",
    muted="#aaa69b",
    line="#3a3d37",
    accent="#8fd6a8",
    on_accent="#10231a",
)


@dataclass(frozen=True, kw_only=True)
class Brand:
    """What every letter made of blocks inherits."""

    font: str = FONTS["system"]
    light: Colours = LIGHT
    dark: Colours = DARK
    #: Address and width of the logo; without one the shop's name stands in its place.
    logo_url: str = ""
    logo_width: int = 160
    button_radius: int = 10
    button_is_wide: bool = False
    #: What the author wrote, with merge tags; each as it stands in MJML.
    header: str = ""
    footer: str = ""
    legal: str = ""
    #: Network and address.
    social: tuple[tuple[str, str], ...] = field(default_factory=tuple)


#: What letters look like before anybody sets it.
PLAIN = Brand()


def contrast(one: str, other: str) -> float:
    """Return how well a colour is told from another, from 1 to 21, as WCAG counts it."""
    try:
        lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    except ValueError:
        # No colour: its own field says so.
        return 21.0
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    shares = []
    for start in (1, 3, 5):
        share = int(colour[start : start + 2], 16) / 255
        shares.append(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    red, green, blue = shares
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
