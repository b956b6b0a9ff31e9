"""Every block writes MJML that compiles to a letter which every mailbox shows."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from wagtail.blocks import StructBlockValidationError

from oscar_triggers.content import compiling, rendering
from oscar_triggers.content.letters import Letter
from oscar_triggers.content.values import formatter
from tests.editor.letters.conftest import block, make_letter
from wagtail_triggers.letter_blocks import registry
from wagtail_triggers.letter_blocks.showing import registry as showings
from wagtail_triggers.models import TemplateDraft
from wagtail_triggers.people import sample_values
from wagtail_triggers.publishing import composed, letter_source

TEXT = '<p>Dear <a linktype="merge" data-merge="contact.first_name">First name</a>,</p><p>hello</p>'
#: One of each kind, with what its letter must say. A kind without a row fails the test.
EXAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "heading": ({"text": "Big news", "size": "h2", "colour": "#aa0000"}, "Big news"),
    "text": ({"text": TEXT, "size": "usual"}, "Dear Sasha,"),
    "button": ({"text": "Go on", "link": {"to": "basket"}}, "Go on"),
    "html": ({"mjml": "<mj-text>{% if basket.count %}Own{% endif %}</mj-text>"}, "Own"),
    "image": ({"alt": "A kettle"}, ""),
    "hero": (
        {"title": "Autumn", "text": "is here", "button": "See", "link": {"to": "home"}},
        "is here",
    ),
    "product_grid": (
        {"source": "recommended.similar", "title": "More like it", "shows_price": True},
        "Camping kettle",
    ),
    "basket_lines": ({"shows_pictures": True, "total": "Sum"}, "Enamel mug"),
    "order_lines": ({"shows_pictures": False, "total": "Paid"}, "Enamel mug"),
    "voucher": ({"title": "{{ voucher.amount }} off", "note": "Soon over"}, "K7QD-M2WX-94HC"),
    "products": ({"products": []}, ""),
    "social": ({}, ""),
    "video": ({"address": "https://film.example/1", "words": "Watch the film"}, "Watch the film"),
    "survey_stars": ({"question": "How was it?"}, "★★★★★"),
    "survey_nps": ({"question": "Would you?"}, "10"),
    "countdown": (
        {
            "last_day": "2030-05-20",
            "forms": "day,days",
            "before": "Only",
            "after": "left",
            "today": "Today!",
        },
        "Only 6 days left",
    ),
    "divider": ({}, ""),
    "spacer": ({"height": 40}, ""),
    "columns": (
        {
            "widths": "left",
            "first": [{"type": "heading", "value": {"text": "Left", "size": "h3"}}],
            "second": [{"type": "text", "value": {"text": "<p>Right</p>"}}],
        },
        "Right",
    ),
    "footer": (
        {"why": "<p>You asked.</p>", "unsubscribe": "No more", "postal_address": True},
        "No more",
    ),
    "quote": ({"words": "Fine mugs", "who": "Ann & Co"}, "Ann & Co"),
}


def filled(
    blocks: list[dict[str, Any]], values: dict[str, Any] | None = None, **fields: Any
) -> Letter:
    """Return a letter of blocks as a sample person gets it."""
    draft = TemplateDraft(**{"subject": "Hello", "language": "en", **fields})
    draft.blocks = draft.blocks.stream_block.to_python(blocks)
    compiled = compiling.compile_letter(letter_source(draft))
    said = {**sample_values(draft.language), **(values or {})}
    return rendering.fill(compiled, said, language=draft.language, time_zone="")


def test_every_registered_block_has_an_example() -> None:
    assert set(registry) == set(EXAMPLES)


@pytest.mark.parametrize("kind", sorted(EXAMPLES))
def test_a_block_becomes_a_letter_for_every_reader(db: None, kind: str) -> None:
    value, says = EXAMPLES[kind]
    letter = filled([block(kind, **value)])
    assert says in letter.text
    assert '<html lang="en"' in letter.html
    assert "{{" not in letter.html
    assert "{%" not in letter.html
    pictures = re.findall(r"<img\b[^>]*>", letter.html)
    assert all(re.search(r'\balt="', picture) for picture in pictures)
    assert len(letter.html.encode()) < 100_000
    assert "Unsubscribe" in letter.text or "No more" in letter.text


def test_all_blocks_at_once_fit_into_one_letter(db: None) -> None:
    letter = filled([block(kind, **value) for kind, (value, _says) in EXAMPLES.items()])
    assert len(letter.html.encode()) < 100_000
    for _value, says in EXAMPLES.values():
        assert says in letter.text


@pytest.mark.parametrize(("orders", "shown"), [(0, False), (1, False), (2, True), (7, True)])
def test_regulars_see_what_newcomers_do_not(db: None, orders: int, shown: bool) -> None:
    greeting = block("heading", text="Good old friend", size="h1")
    greeting["value"] |= {"shown_to": "experienced_customer", "shown_number": "2"}
    letter = filled([greeting], {"contact": {"first_name": "Ann", "orders_count": orders}})
    assert ("Good old friend" in letter.text) is shown


@pytest.mark.parametrize("name", sorted(showings))
def test_every_question_to_whom_a_block_is_shown_compiles(db: None, name: str) -> None:
    hidden = block("columns", first=[{"type": "divider", "value": {"shown_to": name}}])
    hidden["value"] |= {"shown_to": name, "shown_number": "3"}
    filled([hidden])


def test_a_block_whose_question_nobody_knows_any_more_is_shown_to_nobody(db: None) -> None:
    hidden = block("heading", text="Secret", size="h1", shown_to="left_handed")
    assert "Secret" not in filled([hidden]).text


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2030, 5, 19), "1 day left"),
        (date(2030, 5, 20), "Today!"),
        (date(2030, 5, 21), ""),
    ],
)
def test_a_countdown_counts_and_then_is_gone(db: None, today: date, says: str) -> None:
    text = filled([block("countdown", **EXAMPLES["countdown"][0])], {"today": today}).text
    assert says in text
    assert ("left" in text or "Today!" in text) is bool(says)


@pytest.mark.parametrize(("until", "root"), [("voucher", "voucher"), ("pickup", "order")])
@pytest.mark.parametrize(
    ("left", "says"), [(2, "Only 2 days left"), (1, "1 day left"), (0, "Today!"), (None, "")]
)
def test_a_countdown_counts_to_the_end_of_what_the_letter_promises(
    db: None, until: str, root: str, left: int | None, says: str
) -> None:
    name = "days_left" if until == "voucher" else "pickup_days_left"
    written = {**EXAMPLES["countdown"][0], "until": until, "last_day": None}
    for given in ({root: {name: left}}, *([{root: {}}] if left is None else [])):
        text = filled([block("countdown", **written)], given).text
        assert says in text
        assert ("left" in text or "Today!" in text) is bool(says)


def test_a_countdown_to_a_day_without_one_is_not_published() -> None:
    countdown = registry.get("countdown")()
    value = {**EXAMPLES["countdown"][0], "last_day": None}
    with pytest.raises(StructBlockValidationError):
        countdown.clean(countdown.to_python(value))
    countdown.clean(countdown.to_python({**value, "until": "voucher"}))


def test_days_left_are_those_of_the_readers_clock() -> None:
    form = formatter("en", "Asia/Almaty")
    now = datetime(2030, 5, 14, 18, 30, tzinfo=ZoneInfo("UTC"))  # 23:30 there
    assert form.days_left(datetime(2030, 5, 14, 19, 30, tzinfo=ZoneInfo("UTC")), now) == 1
    assert form.days_left(datetime(2030, 5, 14, 18, 45, tzinfo=ZoneInfo("UTC")), now) == 0
    assert form.days_left(datetime(2030, 5, 14, 18, 15, tzinfo=ZoneInfo("UTC")), now) is None


def test_a_countdown_counts_by_the_readers_clock() -> None:
    from oscar_triggers.builtin.today import Today
    from oscar_triggers.snapshots import About, Subject

    late = datetime(2030, 5, 14, 23, 30, tzinfo=ZoneInfo("UTC"))
    subject = Subject(
        enrollment_id=0, flow_id=0, flow_key="", contact_id=0, user_id=None,
        about=About(type="", id=""), language="en", time_zone="Asia/Almaty", site_id=None,
        entered_at=late, clock_at=late,
    )  # fmt: skip
    assert Today().provide_many([subject], late)[0].values == {"today": date(2030, 5, 15)}


def test_a_letter_from_right_to_left_begins_at_the_right(db: None) -> None:
    letter = filled([block("heading", text="שלום", size="h1")], language="he")
    assert 'dir="rtl"' in letter.html
    assert 'align="right"' in letter.html


def test_a_footer_of_the_letter_takes_the_place_of_the_brands(db: None) -> None:
    letter = filled([block("footer", why="<p>Your order.</p>", postal_address=True)])
    assert "Your order." in letter.text
    assert "Unsubscribe" not in letter.text


def test_each_line_of_the_source_knows_its_block(db: None) -> None:
    draft = make_letter(
        [block("heading", text="One", size="h1"), block("html", mjml="<mj-text>Two</mj-text>")]
    )
    made = composed(draft)
    lines = made.body.splitlines()
    [number] = [n for n, line in enumerate(lines, 1) if "Two" in line]
    assert made.index_at(number) == 1
    assert made.index_at(1) is None


def test_a_block_of_the_shops_own_wants_no_migration_of_ours(db: None) -> None:
    assert "quote" in registry
    *_names, options = TemplateDraft._meta.get_field("blocks").deconstruct()
    assert set(options) == {"blank", "registry", "verbose_name"}
