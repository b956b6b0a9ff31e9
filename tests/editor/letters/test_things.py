"""Pictures, pages and products of the shop stand in letters with addresses that work elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.blocks import StructBlockValidationError
from wagtail.images.models import Image
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Collection, Page, Site

from oscar_triggers.content import rendering
from oscar_triggers.content.compiling import compile_letter
from oscar_triggers.content.context import Wanted
from oscar_triggers.shop.order_counts import OrderCounts
from oscar_triggers.shop.products.chosen import ChosenPrices, prices_in
from oscar_triggers.snapshots import About, Subject
from tests.editor.conftest import signed_in
from tests.editor.letters.conftest import block, make_letter
from tests.editor.letters.test_blocks import filled
from wagtail_triggers.letter_blocks import LinkBlock
from wagtail_triggers.models import TemplateDraft
from wagtail_triggers.people import preview_values, sample_values
from wagtail_triggers.previews import fill_draft
from wagtail_triggers.publishing import letter_source

NOW = datetime(2030, 5, 1, 9, tzinfo=UTC)


def warnings(*blocks: dict[str, Any]) -> list[str]:
    """Return what is worth a look in these blocks."""
    stream = TemplateDraft().blocks.stream_block.to_python(list(blocks))
    return [warning for child in stream for warning in child.block.warnings(child.value)]


def test_a_picture_of_the_library_stands_there_with_its_words(db: None) -> None:
    Collection.add_root(name="Root")
    image = Image.objects.create(title="Kettle", file=get_test_image_file())
    picture = block("image", image=image.pk, alt="A red kettle", link={"to": "home"})
    html = filled([picture]).html
    assert 'alt="A red kettle"' in html
    assert 'src="http' in html
    assert warnings(picture) == []
    assert warnings(block("image", image=image.pk)) == [
        "say what the picture shows, unless it is mere decoration."
    ]
    assert warnings(block("image")) == ["there is no picture."]


def test_a_chosen_product_stands_there_until_it_is_hidden(db: None, product: Any) -> None:
    chosen = block("products", products=[product.pk], button="Look")
    letter = filled([chosen])
    assert product.get_title() in letter.text
    assert f"{product.get_absolute_url()}" in letter.html
    product.is_public = False
    product.save()
    assert product.get_title() not in filled([chosen]).text
    assert warnings(chosen) == [f"“{product.get_title()}” is not shown in the shop."]


def test_a_chosen_product_has_the_price_that_the_shop_asks_on_the_day_of_the_letter(
    db: None, product: Any, member: Any, django_assert_max_num_queries: Any
) -> None:
    draft = make_letter([block("products", products=[product.pk])])
    compiled = compile_letter(letter_source(draft))
    record = product.stockrecords.get()
    subject = Subject(
        enrollment_id=0, flow_id=0, flow_key="", contact_id=0, user_id=member.pk,
        about=About(type="", id=""), language="en", time_zone="", site_id=None,
        entered_at=NOW, clock_at=NOW,
    )  # fmt: skip

    def text() -> str:
        wanted = [Wanted(subject=subject, paths=compiled.said)] * 20
        with django_assert_max_num_queries(20):
            given = ChosenPrices().provide_wanted(wanted, NOW)[-1]
        values = {**sample_values("en"), **given.values}
        return rendering.fill(compiled, values, language="en", time_zone="").text

    assert "€12.50" in text()
    record.price = "9.90"
    record.save()
    assert "€9.90" in text()
    record.num_in_stock = 0
    record.save()
    assert "€" not in text()
    assert product.get_title() in text()


def test_the_preview_shows_the_price_and_a_letter_may_go_without(db: None, product: Any) -> None:
    chosen = preview_values("", "en", personal=False, now=NOW)
    draft = make_letter([block("products", products=[product.pk])])
    assert "€12.50" in fill_draft(draft, chosen).text
    draft = make_letter([block("products", products=[product.pk], shows_price=False)], key="two")
    assert "€" not in fill_draft(draft, chosen).text


def test_a_letter_that_is_not_about_them_asks_for_no_prices(
    db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert prices_in("{{ product.price }} {{ chosen.p0.price }}", NOW) == {"chosen": {}}


def test_a_button_to_a_product_that_nobody_sees_is_refused(db: None, product: Any) -> None:
    link = LinkBlock()
    link.clean(link.to_python({"to": "product", "product": product.pk}))
    product.is_public = False
    product.save()
    with pytest.raises(StructBlockValidationError) as raised:
        link.clean(link.to_python({"to": "product", "product": product.pk}))
    assert "is not shown in the shop" in str(raised.value.as_json_data())


def test_a_button_to_a_page_leads_there_while_it_is_live(root_page: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.editor.letters.page_urls"
    page = root_page.add_child(instance=Page(title="Sale", slug="sale"))
    Site.objects.update_or_create(
        is_default_site=True,
        defaults={"hostname": "shop.example", "port": 80, "root_page": root_page},
    )
    button = block("button", text="To the sale", link={"to": "page", "page": page.pk})
    assert "http://shop.example/pages/sale/" in filled([button]).text
    page.unpublish()
    link = LinkBlock()
    with pytest.raises(StructBlockValidationError) as raised:
        link.clean(link.to_python({"to": "page", "page": page.pk}))
    assert "This page is not published" in str(raised.value.as_json_data())


def test_products_are_chosen_by_those_who_write_letters(
    editor: Any, person: Callable[..., Any], product: Any
) -> None:
    url = reverse("triggers_product_chooser:choose_results")
    assert product.get_title() in signed_in(editor).get(url).content.decode()
    stranger: Client = signed_in(person("stranger", "wagtailadmin.access_admin"))
    assert stranger.get(url).status_code in (302, 403)


def test_orders_are_counted_for_a_whole_batch_at_once(
    db: None, django_assert_max_num_queries: Any, member: Any
) -> None:
    subjects = [
        Subject(
            enrollment_id=0, flow_id=0, flow_key="", contact_id=0, user_id=member.pk,
            about=About(type="", id=""), language="en", time_zone="", site_id=None,
            entered_at=NOW, clock_at=NOW,
        )
        for _number in range(20)
    ]  # fmt: skip
    with django_assert_max_num_queries(5):
        given = OrderCounts().provide_many(subjects, NOW)
    assert [one.values for one in given] == [{"contact": {"orders_count": 0}}] * 20
