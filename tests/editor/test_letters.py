"""Letters are looked at and tried out before anybody gets them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.content import tags
from oscar_triggers.exceptions import TemplateError
from oscar_triggers.models import BasketWatch, Contact, Message, MessageState
from tests.editor.conftest import LETTER, make_flow, make_template, signed_in
from tests.editor.forms import flow_form, template_form
from tests.mail import use_backend
from wagtail_triggers.models import FlowDraft
from wagtail_triggers.people import PreviewValues, sample_values
from wagtail_triggers.previews import DARK, LIGHT, MJML, TEXT, fill_draft, in_scheme

TEMPLATES = "wagtailsnippets_wagtail_triggers_templatedraft"
FLOWS = "wagtailsnippets_wagtail_triggers_flowdraft"

BASKET_LETTER = LETTER.replace(
    "Hello {{", "{% for line in basket.lines %}{{ line.title }}{% endfor %} Hello {{"
)


@pytest.fixture(autouse=True)
def no_server(settings: Any) -> None:
    """Keep mail in memory."""
    use_backend(settings, "django.core.mail.backends.locmem.EmailBackend")


def preview(client: Client, draft: Any, data: dict[str, Any], mode: str) -> Any:
    """Post a form to the preview, as the panel does, and return what the panel shows."""
    namespace = FLOWS if isinstance(draft, FlowDraft) else TEMPLATES
    url = reverse(f"{namespace}:preview_on_edit", args=[draft.pk])
    assert client.post(url, data).json() == {"is_valid": True, "is_available": True}
    response = client.get(url, {"mode": mode, "in_preview_panel": "true"})
    assert response.status_code == 200
    return response


@pytest.mark.parametrize("mode", [LIGHT, DARK, TEXT])
def test_the_preview_shows_what_stands_on_the_screen_and_not_what_was_saved(
    publisher_client: Client, mode: str
) -> None:
    draft = make_template(publish=False)
    data = template_form(draft, subject="Not saved yet", body=BASKET_LETTER)
    page = preview(publisher_client, draft, data, mode).content.decode()
    assert "Not saved yet" in page
    assert "{{" not in page
    assert "Unsubscribe" in page


def test_the_preview_of_the_source_is_the_source(publisher_client: Client) -> None:
    draft = make_template(publish=False)
    page = preview(publisher_client, draft, template_form(draft), MJML).content.decode()
    assert "&lt;mj-section&gt;" in page


def test_a_broken_letter_shows_its_problems_with_the_lines_around_them(
    publisher_client: Client,
) -> None:
    draft = make_template(publish=False)
    data = template_form(draft, body=LETTER.replace("contact.first_name", "customer.password"))
    page = preview(publisher_client, draft, data, LIGHT).content.decode()
    assert "cannot be sent yet" in page
    assert "Body, line 5" in page
    assert "<b>5  " in page


@pytest.mark.parametrize("where", ["subject", "preheader", "body", "text"])
def test_the_preview_of_a_letter_that_says_a_list_tells_what_to_write(
    publisher_client: Client, where: str
) -> None:
    draft = make_template(publish=False)
    written = "{{ basket.lines }}"
    text = LETTER.replace("Hello {{", f"{written} Hello {{{{") if where == "body" else written
    data = template_form(draft, **{where: text})
    page = preview(publisher_client, draft, data, LIGHT).content.decode()
    assert "cannot be sent yet" in page
    assert "{% for line in basket.lines %}" in page


def test_the_preview_survives_values_that_no_letter_can_say(publisher_client: Client) -> None:
    chosen = PreviewValues(values={"contact": {"first_name": {"first": "Zoë"}}})
    with pytest.raises(TemplateError, match="cannot say a dict"):
        fill_draft(make_template(publish=False), chosen)


def test_what_an_author_writes_runs_nothing_in_the_preview(publisher_client: Client) -> None:
    draft = make_template(publish=False)
    response = preview(publisher_client, draft, template_form(draft), LIGHT)
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    scripts = policy.partition("script-src ")[2].split()
    assert [one.rpartition("/")[2] for one in scripts] == ["vendor.js", "userbar.js"]
    assert all(one.startswith("http://testserver/static/wagtailadmin/js/") for one in scripts)
    assert "form-action 'none'" in policy
    # In a tab of its own nobody asks the checker, and nothing runs at all.
    alone = publisher_client.get(
        reverse(f"{TEMPLATES}:preview_on_edit", args=[draft.pk]), {"mode": LIGHT}
    )
    assert "script-src" not in alone["Content-Security-Policy"]
    assert "<script" not in alone.content.decode()


@pytest.mark.parametrize(
    "query",
    ["@media (prefers-color-scheme: dark)", "@media screen and (prefers-color-scheme:dark)"],
)
def test_dark_styles_count_always_or_never(query: str) -> None:
    html = f"<style>{query} {{ p {{ color: #fff }} }}</style>"
    assert in_scheme(html, dark=True).startswith("<style>@media all {")
    assert in_scheme(html, dark=False).startswith("<style>@media not all {")


@pytest.fixture
def left_basket(member: Any, product: Any) -> Any:
    """Return a basket of Anna's that the shop watches."""
    from oscar.core.loading import get_model
    from oscar.test.factories import BasketFactory

    basket = BasketFactory(owner=member)
    basket.add_product(product, 2)
    contact = Contact.objects.create(
        identity_key=f"user:{member.pk}",
        user=member,
        first_name="Anna",
        created_at=timezone.now(),
    )
    BasketWatch.objects.create(
        basket_id=basket.pk, contact=contact, changed_at=timezone.now(), language="en"
    )
    assert get_model("basket", "Line").objects.get().price_excl_tax == Decimal("12.50")
    return basket


def test_a_real_basket_fills_the_preview_and_its_owner_stays_unnamed(
    left_basket: Any, publisher_client: Client, editor: Any
) -> None:
    draft = make_template(publish=False, body=BASKET_LETTER)
    data = template_form(draft, preview_as=f"basket:{left_basket.pk}")
    page = preview(publisher_client, draft, data, TEXT).content.decode()
    assert "Enamel mug" in page
    assert "Anna" in page
    page = preview(signed_in(editor), draft, data, TEXT).content.decode()
    assert "Enamel mug" in page
    assert "Anna" not in page
    form = signed_in(editor).get(reverse(f"{TEMPLATES}:edit", args=[draft.pk])).content.decode()
    assert f"Basket {left_basket.pk}, changed" in form
    assert "anna@example.com" not in form


def test_a_test_letter_goes_to_oneself_and_into_the_log(editor: Any) -> None:
    draft = make_template(publish=False)
    url = reverse("wagtail_triggers:send_test", args=[draft.pk])
    data = template_form(draft, subject="Tried out", test_address="someone@else.example")
    response = signed_in(editor).post(url, data)
    assert response.json()["ok"], response.json()
    (letter,) = mail.outbox
    assert letter.to == ["editor@shop.example"], "only publishers choose another address"
    assert "Tried out" in letter.subject
    message = Message.objects.get()
    assert (message.state, message.contact_id) == (MessageState.SENT, None)
    draft.refresh_from_db()
    assert draft.get_latest_revision_as_object().subject == "Your basket is waiting"


def test_a_publisher_may_send_the_test_to_somebody_else(publisher_client: Client) -> None:
    draft = make_template(publish=False)
    data = template_form(draft, key="other", test_address="colleague@shop.example")
    publisher_client.post(reverse("wagtail_triggers:send_test_new"), data)
    assert [letter.to for letter in mail.outbox] == [["colleague@shop.example"]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test_address": "nobody"}, "whole e-mail address"),
        ({"subject": "{{ nonsense }}"}, "nonsense"),
    ],
)
def test_a_test_that_cannot_be_sent_says_why(
    publisher_client: Client, changes: dict[str, str], said: str
) -> None:
    draft = make_template(publish=False)
    url = reverse("wagtail_triggers:send_test", args=[draft.pk])
    response = publisher_client.post(url, template_form(draft, **changes))
    assert response.status_code == 400
    assert said in response.json()["message"]
    assert not mail.outbox


def test_the_preview_of_a_flow_tells_its_story_and_what_is_missing(
    publisher_client: Client,
) -> None:
    make_template(publish=False)
    draft = make_flow()
    data = flow_form(draft, name="Come back")
    page = preview(publisher_client, draft, data, "outline").content.decode()
    for part in ("Come back", "A basket was left behind", "1 day", "First letter", "order was"):
        assert part in page
    assert "Step 2, Send a message: the template &#x27;letter-1&#x27; is not published" in page


def test_what_waits_is_counted_before_publishing_and_follows_the_form(
    publisher_client: Client, left_basket: Any
) -> None:
    from oscar.core.loading import get_model

    age = timezone.now() - timedelta(hours=5)
    get_model("basket", "Basket").objects.update(date_created=age)
    get_model("basket", "Line").objects.update(date_created=age, date_updated=age)
    BasketWatch.objects.update(changed_at=age)
    draft = make_flow()
    url = reverse("wagtail_triggers:forecast", args=[draft.pk])
    said = publisher_client.post(url, flow_form(draft)).content.decode()
    assert "1 basket waits now." in said
    assert "do not enter" in said
    said = publisher_client.post(url, flow_form(draft, include_waiting="on")).content.decode()
    assert "enter this flow within minutes" in said
    later = [{"type": "basket_left", "value": {"idle": {"amount": 8, "unit": "h"}}}]
    shown = draft.trigger.stream_block.get_prep_value(draft.trigger)
    shown[0]["value"] |= later[0]["value"]
    said = publisher_client.post(url, flow_form(draft, trigger=shown)).content.decode()
    assert "0 baskets wait now." in said
    shown[0]["value"] |= {
        "idle": {"amount": 1, "unit": "h"},
        "max_age": {"amount": 2, "unit": "h"},
    }
    said = publisher_client.post(url, flow_form(draft, trigger=shown)).content.decode()
    assert "1 basket is too old and never gets a letter." in said
    assert not draft.live


def test_a_preview_has_a_sample_of_every_merge_tag_also_for_several_told_together() -> None:
    for language in ("en", "de", "ru", "fr"):
        values = sample_values(language)
        for tag in tags.registry.values():
            assert found_at(values, tag.path), tag.path
        [thing] = values["items"]
        for path in tags.paths_of_things(tags.registry):
            assert found_at(thing, path), path


def found_at(values: Any, path: str) -> bool:
    """Say whether a value stands at a merge path, in every item of its lists."""
    name, _dot, rest = path.partition(".")
    if name.removesuffix("[]") not in values:
        return False
    value = values[name.removesuffix("[]")]
    inner = value if name.endswith("[]") else [value]
    return bool(inner) and all(not rest or found_at(one, rest) for one in inner)
