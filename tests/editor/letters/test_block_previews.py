"""Who looks for a block of a letter sees each before choosing it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from wagtail.blocks import Block
from wagtail.users.models import UserProfile

from tests.editor.conftest import signed_in
from tests.editor.pages import PAGES, make_things
from tests.editor.test_accessibility import desk as desk
from wagtail_triggers import permissions
from wagtail_triggers.blocks.kinds import STREAMS
from wagtail_triggers.letter_blocks import letter_stream, registry
from wagtail_triggers.models import LetterBrand

_PREVIEW = ".w-combobox-preview__iframe"
#: Blocks whose sample says nothing: what each shows instead.
_MUTE = {
    "divider": "border-top:",
    "spacer": "line-height:24px",
    "social": "Instagram",
    "image": "sample-picture.svg",
}


def _framed(client: Client, kind: str) -> Any:
    """Return what the frame in Wagtail's preview of a block shows."""
    outer = client.get(_wagtails(kind))
    assert outer.status_code == 200
    address = reverse("wagtail_triggers:block_preview", args=[kind])
    assert f'src="{address}"' in outer.content.decode()
    assert "<script" not in outer.content.decode()
    return client.get(address)


def _wagtails(kind: str) -> str:
    block = letter_stream().child_blocks[kind]
    return reverse("wagtailadmin_block_preview") + f"?id={block.definition_prefix}"


@pytest.mark.parametrize("kind", list(registry))
def test_a_block_shows_itself_before_it_is_chosen(
    publisher_client: Client, product: Any, kind: str
) -> None:
    LetterBrand.objects.create(instagram="https://instagram.example/shop")
    response = _framed(publisher_client, kind)
    page = response.content.decode()
    assert response.status_code == 200
    assert response["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    assert "<script" not in page
    assert "{{" not in page
    assert "{%" not in page
    assert 'class="problem"' not in page
    assert _MUTE.get(kind, "</div>") in page


@pytest.mark.parametrize("kind", list(registry))
def test_a_block_says_in_words_what_it_is_for(kind: str) -> None:
    assert registry.get(kind)().get_description()


def test_a_block_of_the_shops_own_shows_itself_and_translates(
    publisher_client: Client, publisher: Any
) -> None:
    page = _framed(publisher_client, "quote").content.decode()
    assert "“Words”" in page
    assert "Who said it" in page
    profile = UserProfile.get_for_user(publisher)
    profile.preferred_language = "ar"
    profile.save()
    page = _framed(publisher_client, "quote").content.decode()
    assert "“Words”" not in page
    assert 'dir="rtl"' in page


def test_a_dark_theme_shows_a_dark_letter(publisher_client: Client, publisher: Any) -> None:
    profile = UserProfile.get_for_user(publisher)
    for theme, query in (
        ("light", "@media not all"),
        ("dark", "@media all"),
        ("system", "@media (prefers-color-scheme: dark)"),
    ):
        profile.theme = theme
        profile.save()
        assert query in _framed(publisher_client, "heading").content.decode()


def test_the_brands_looks_are_in_the_picker(publisher_client: Client) -> None:
    LetterBrand.objects.create(light_accent="#7a1f5c")
    assert "#7a1f5c" in _framed(publisher_client, "button").content.decode()


def test_whoever_has_no_access_to_the_admin_sees_no_block(
    db: None, person: Callable[..., Any]
) -> None:
    for client in (Client(), signed_in(person("shopper"))):
        for address in (
            _wagtails("heading"),
            reverse("wagtail_triggers:block_preview", args=["heading"]),
        ):
            response = client.get(address)
            assert response.status_code == 302
            assert "Your basket" not in response.content.decode()


def test_whoever_writes_no_letters_sees_no_compiled_block(person: Callable[..., Any]) -> None:
    client = signed_in(person("viewer", *permissions.VIEWER))
    response = client.get(reverse("wagtail_triggers:block_preview", args=["heading"]))
    assert response.status_code == 302


def test_a_block_that_nobody_registered_is_not_found(publisher_client: Client) -> None:
    address = reverse("wagtail_triggers:block_preview", args=["nonsense"])
    assert publisher_client.get(address).status_code == 404


def test_every_process_finds_a_block_by_the_same_name() -> None:
    first, second = letter_stream(), letter_stream()
    for kind in registry:
        name = f"letter-block-{kind}"
        assert first.child_blocks[kind].definition_prefix == name
        assert second.child_blocks[kind].definition_prefix == name
        assert Block.definition_registry[name].kind == kind


@pytest.mark.parametrize("registered", ["events", "conditions", "steps"])
def test_every_kind_of_a_flow_says_in_words_what_it_does(
    publisher_client: Client, registered: str
) -> None:
    stream = STREAMS[registered]()
    silent = [kind for kind, block in stream.child_blocks.items() if not block.get_description()]
    assert not silent
    for kind, block in stream.child_blocks.items():
        assert block.is_previewable
        assert block.definition_prefix == f"triggers-{registered.rstrip('s')}-{kind}"
        response = publisher_client.get(
            reverse("wagtailadmin_block_preview"), {"id": block.definition_prefix}
        )
        page = response.content.decode()
        assert response.status_code == 200
        assert str(block.label) in html.unescape(page)
        assert "<script" not in page
        assert " style=" not in page


def test_a_letter_for_those_who_read_from_the_right_runs_from_the_right(
    publisher_client: Client, publisher: Any
) -> None:
    profile = UserProfile.get_for_user(publisher)
    for language, direction, other in (("en", "ltr", "rtl"), ("ar", "rtl", "ltr")):
        profile.preferred_language = language
        profile.save()
        page = _framed(publisher_client, "basket_lines").content.decode()
        assert f"direction:{direction}" in page
        assert f"direction:{other}" not in page
        beside = {"ltr": "14px 16px 14px 0", "rtl": "14px 0 14px 16px"}
        assert f"padding:{beside[direction]}" in page
        assert f"padding:{beside[other]}" not in page


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_picker_shows_blocks_and_steps_under_a_strict_policy(desk: Any, language: str) -> None:
    things = make_things()
    profile = UserProfile.get_for_user(get_user_model().objects.get(username="boss"))
    profile.preferred_language = language
    profile.save()
    page = desk.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    page.goto(PAGES["letter of blocks"](things))
    _open_picker(page)
    shown = page.frame_locator(_PREVIEW).frame_locator(".triggers-block-preview")
    shown.get_by_text("Your basket is still here").wait_for()
    assert page.locator(".w-combobox-preview__description").inner_text()
    page.goto(PAGES["flow, new"](things))
    page.get_by_role("tab", name="Steps").click()
    _open_picker(page)
    page.frame_locator(_PREVIEW).get_by_text("Send a message", exact=True).wait_for()
    assert page.locator(".w-combobox-preview__description").inner_text()
    assert said == []
    assert page.evaluate("window.refusedByPolicy") == []


def _open_picker(page: Any) -> None:
    """Open the last picker of a page, and look at the first block that it offers."""
    page.wait_for_load_state("networkidle")
    page.locator(".c-sf-add-button:visible").last.click()
    page.locator(".w-combobox__option-preview").first.click()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_dialog_of_personal_data_holds_all_that_is_in_it(desk: Any) -> None:
    page = desk.new_page()
    page.goto(PAGES["letter of blocks"](make_things()))
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Personal data").first.click()
    dialog = page.locator("dialog.triggers-merge")
    dialog.wait_for()
    wide, inside, aside = dialog.evaluate(
        "(one) => [one.scrollWidth, one.clientWidth, one.scrollLeft]"
    )
    assert wide == inside
    assert aside == 0
