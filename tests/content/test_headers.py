"""Headers and links are what mailboxes and the law ask for, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import override_settings

from oscar_triggers.content import headers, links, wire
from tests.content.letters import compiled, in_column, parsed, values

NOW = datetime(2026, 12, 5, 10, tzinfo=UTC)
PUBLIC_ID = "AbCdEfGhIjKlMnOpQrStU_"


def fields(stream: str = "promotional", **changes: str) -> dict[str, str]:
    """Return the headers of one message."""
    return headers.letter_headers(
        **{
            "stream": stream,
            "public_id": PUBLIC_ID,
            "base_url": "https://shop.example",
            "date": NOW,
            "topic": "offers",
            "flow_key": "abandoned-basket",
            **changes,
        }
    )


def test_a_promotional_letter_can_be_left_with_one_click() -> None:
    found = fields()
    assert found["List-Unsubscribe"].startswith("<https://shop.example/")
    assert PUBLIC_ID in found["List-Unsubscribe"]
    assert len(found["List-Unsubscribe"]) <= links.LONGEST_HEADER_URL + 2
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["List-Id"] == "<offers.shop.example>"


def test_a_transactional_letter_has_no_list_headers() -> None:
    assert not [name for name in fields("transactional") if name.startswith("List-")]


def test_every_try_at_a_message_has_the_same_id() -> None:
    assert fields()["Message-ID"] == fields()["Message-ID"] == f"<{PUBLIC_ID}@shop.example>"
    assert fields()["X-Entity-Ref-ID"] == PUBLIC_ID
    assert fields()["Auto-Submitted"] == "auto-generated"
    assert fields()["Feedback-ID"] == "abandoned-basket:offers:promotional:shop.example"


def test_a_cyrillic_shop_has_ascii_headers() -> None:
    found = fields(base_url="https://лавка.рф", topic="Новости", flow_key="поток")
    assert all(value.isascii() for value in found.values())
    assert "xn--" in found["List-Unsubscribe"]


def test_bytes_on_the_wire_keep_ascii_headers_whole() -> None:
    letter = compiled(in_column("<mj-text>x</mj-text>"))
    long_url = f"<https://shop.example/{'x' * 120}>"
    raw = wire.wire_bytes(
        letter,
        values(),
        {**fields(), "List-Unsubscribe": long_url},
        from_="Лавка <hallo@лавка.рф>",
        to="b@d.example",
        reply_to="Mary <mary@shop.example>",
    )
    assert f"\r\nList-Unsubscribe: {long_url}\r\n".encode() in raw
    message = parsed(raw)
    assert message["From"].addresses[0].display_name == "Лавка"
    assert message["From"].addresses[0].domain.startswith("xn--")
    assert message["Reply-To"] == "Mary <mary@shop.example>"
    assert not message.defects


@pytest.mark.parametrize("evil", ["x\r\nBcc: all@shop.example", "x\nX: y"])
def test_no_value_adds_a_header(evil: str) -> None:
    letter = compiled(in_column("<mj-text>x</mj-text>"), subject="Hi {{ contact.first_name }}")
    raw = wire.wire_bytes(
        letter, values(contact={"first_name": evil}), {}, from_="a@b.example", to="c@d.example"
    )
    assert "Bcc" not in parsed(raw)
    assert "X" not in parsed(raw)
    with pytest.raises(ValueError, match="List-Id"):
        wire.header("List-Id", evil)


def test_a_link_back_says_nothing_and_opens_one_message_only() -> None:
    token = links.sign(PUBLIC_ID, links.BASKET)
    assert links.read_basket_token(token) == PUBLIC_ID
    assert len(token) == 33
    assert links.basket_url("https://shop.example", PUBLIC_ID).endswith(f"/b/{token}/")
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        assert links.read_basket_token(token[:position] + other + token[position + 1 :]) is None
    for text in ("", PUBLIC_ID, token + "x", token[:-1], "é" * 33, "\0" * 33):
        assert links.read_basket_token(text) is None
    assert links.read(token, "another purpose") is None


def test_links_survive_a_change_of_the_secret_key() -> None:
    with override_settings(SECRET_KEY="old"):
        token = links.sign(PUBLIC_ID, links.BASKET)
    with override_settings(SECRET_KEY="new"):
        assert links.read_basket_token(token) is None
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert links.read_basket_token(token) == PUBLIC_ID


def test_an_address_at_which_one_click_cannot_work_is_named() -> None:
    assert not headers.unsubscribe_problem("https://shop.example")
    assert "https" in headers.unsubscribe_problem("http://shop.example")
    assert "75" in headers.unsubscribe_problem(f"https://{'shop.' * 12}example")
