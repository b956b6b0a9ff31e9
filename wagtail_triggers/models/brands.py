"""How the shop's letters look: one row, which every letter made of blocks inherits."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import pgettext, pgettext_lazy
from wagtail.contrib.settings.models import BaseGenericSetting
from wagtail.images import get_image_model_string
from wagtail.models import PreviewableMixin

from ..letter_blocks.brands import DARK, FONTS, LIGHT, NETWORKS, Brand, Colours, contrast
from ..letter_blocks.pictures import picture_address
from ..letter_blocks.texts import text_problems, written
from ..previews import preview_brand

#: What people with weak eyes can still read (WCAG 2, AA).
LEAST_CONTRAST = 4.5
COLOURS = ("page", "card", "text", "muted", "line", "accent", "on_accent")
#: Which colour stands on which.
PAIRS = (("text", "card"), ("muted", "page"), ("muted", "card"), ("on_accent", "accent"))
_LABELS = {
    "page": pgettext_lazy("triggers", "around the letter"),
    "card": pgettext_lazy("triggers", "behind the text"),
    "text": pgettext_lazy("triggers", "text"),
    "muted": pgettext_lazy("triggers", "small print"),
    "line": pgettext_lazy("triggers", "lines"),
    "accent": pgettext_lazy("triggers", "buttons and links"),
    "on_accent": pgettext_lazy("triggers", "text on buttons"),
}
_COLOUR = RegexValidator(
    r"\A#[0-9a-fA-F]{6}\Z",
    pgettext_lazy("triggers", "Write a colour as # and six digits: #14532d."),
)


def _colour(default: str, label: Any) -> models.CharField[str, str]:
    return models.CharField(label, max_length=7, default=default, validators=[_COLOUR])


class LetterBrand(PreviewableMixin, BaseGenericSetting):
    """Logo, font, colours, button, header, footer, social links and legal text.

    One for all sites: a letter is compiled once, for whichever site it is sent from.
    """

    logo = models.ForeignKey(
        get_image_model_string(),
        verbose_name=pgettext_lazy("triggers", "logo"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=pgettext_lazy("triggers", "Without one, the shop's name stands there."),
    )
    logo_width = models.PositiveSmallIntegerField(
        pgettext_lazy("triggers", "width of the logo in pixels"),
        default=160,
        validators=[MinValueValidator(20), MaxValueValidator(600)],
    )
    font = models.CharField(
        pgettext_lazy("triggers", "font"),
        max_length=20,
        default="system",
        choices=[
            ("system", pgettext_lazy("triggers", "the reader's own (system)")),
            ("serif", pgettext_lazy("triggers", "with serifs (Georgia)")),
            ("humanist", pgettext_lazy("triggers", "round (Trebuchet)")),
            ("mono", pgettext_lazy("triggers", "typewriter (Courier)")),
        ],
        help_text=pgettext_lazy("triggers", "Letters load no fonts; mailboxes would not."),
    )
    light_page = _colour(LIGHT.page, _LABELS["page"])
    light_card = _colour(LIGHT.card, _LABELS["card"])
    light_text = _colour(LIGHT.text, _LABELS["text"])
    light_muted = _colour(LIGHT.muted, _LABELS["muted"])
    light_line = _colour(LIGHT.line, _LABELS["line"])
    light_accent = _colour(LIGHT.accent, _LABELS["accent"])
    light_on_accent = _colour(LIGHT.on_accent, _LABELS["on_accent"])
    dark_page = _colour(DARK.page, _LABELS["page"])
    dark_card = _colour(DARK.card, _LABELS["card"])
    dark_text = _colour(DARK.text, _LABELS["text"])
    dark_muted = _colour(DARK.muted, _LABELS["muted"])
    dark_line = _colour(DARK.line, _LABELS["line"])
    dark_accent = _colour(DARK.accent, _LABELS["accent"])
    dark_on_accent = _colour(DARK.on_accent, _LABELS["on_accent"])
    button_radius = models.PositiveSmallIntegerField(
        pgettext_lazy("triggers", "corners of buttons"),
        default=10,
        choices=[
            (0, pgettext_lazy("triggers", "square")),
            (4, pgettext_lazy("triggers", "a little round")),
            (10, pgettext_lazy("triggers", "round")),
            (28, pgettext_lazy("triggers", "very round")),
        ],
    )
    button_is_wide = models.BooleanField(
        pgettext_lazy("triggers", "buttons as wide as the letter"), default=False
    )
    header = models.CharField(
        pgettext_lazy("triggers", "below the logo"), max_length=255, blank=True
    )
    footer = models.CharField(
        pgettext_lazy("triggers", "above the link to unsubscribe"),
        max_length=500,
        blank=True,
        help_text=pgettext_lazy("triggers", "Why people get letters from you, for example."),
    )
    legal = models.CharField(pgettext_lazy("triggers", "legal text"), max_length=1_000, blank=True)
    instagram = models.URLField("Instagram", blank=True)
    facebook = models.URLField("Facebook", blank=True)
    youtube = models.URLField("YouTube", blank=True)
    tiktok = models.URLField("TikTok", blank=True)
    pinterest = models.URLField("Pinterest", blank=True)
    telegram = models.URLField("Telegram", blank=True)
    vk = models.URLField("VK", blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    preview_modes = [
        ("light", pgettext_lazy("triggers", "Light")),
        ("dark", pgettext_lazy("triggers", "Dark")),
    ]

    class Meta:
        verbose_name = pgettext_lazy("triggers", "looks of letters")
        verbose_name_plural = pgettext_lazy("triggers", "looks of letters")

    def __str__(self) -> str:
        return pgettext("triggers", "Looks of letters")

    def clean(self) -> None:
        """Refuse colours that nobody can read, and merge tags that are not known."""
        super().clean()
        errors: dict[str, list[str]] = {}
        for scheme in ("light", "dark"):
            for front, back in PAIRS:
                name = f"{scheme}_{front}"
                found = contrast(getattr(self, name), getattr(self, f"{scheme}_{back}"))
                if found < LEAST_CONTRAST:
                    message = pgettext(
                        "triggers",
                        "Too like the colour “%(other)s”: %(found).1f to 1, and at least "
                        "%(least).1f to 1 can be read.",
                    )
                    errors.setdefault(name, []).append(
                        message % {"other": _LABELS[back], "found": found, "least": LEAST_CONTRAST}
                    )
        for name in ("header", "footer", "legal"):
            problems = text_problems(getattr(self, name), where=name)
            if problems:
                errors[name] = [problem.message for problem in problems]
        if errors:
            raise ValidationError(errors)

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        """Show a letter in these looks."""
        return preview_brand(request, self.to_brand(), mode_name)

    def to_brand(self) -> Brand:
        """Return the looks as plain values."""
        return Brand(
            font=FONTS.get(self.font, FONTS["system"]),
            light=self._colours("light"),
            dark=self._colours("dark"),
            logo_url=picture_address(self.logo),
            logo_width=self.logo_width,
            button_radius=self.button_radius,
            button_is_wide=self.button_is_wide,
            header=written(self.header),
            footer=written(self.footer),
            legal=written(self.legal),
            social=tuple(
                (label, getattr(self, name))
                for name, label in NETWORKS.items()
                if getattr(self, name)
            ),
        )

    def _colours(self, scheme: str) -> Colours:
        return Colours(**{name: getattr(self, f"{scheme}_{name}") for name in COLOURS})
