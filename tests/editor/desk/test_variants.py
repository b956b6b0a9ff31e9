"""The variants of a split stand beside each other: what they say, to whom, and how they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_triggers.insight import arms
from oscar_triggers.models import Flow, FlowState
from tests.editor.conftest import make_split_flow, make_template, make_text, signed_in
from tests.editor.forms import flow_form
from tests.editor.letters.conftest import make_letter
from tests.editor.test_lists import queries_of
from tests.insight.rows import make_message, make_order
from wagtail_triggers import permissions
from wagtail_triggers.models import FlowDraft


@pytest.fixture
def two_letters(root_page: Any) -> None:
    """Write the letters of both variants."""
    make_template(subject="Still here, {{ contact.first_name }}?", preheader="Your tea waits")
    make_template("letter-2", name="Second letter", subject="Ten percent for you")


def page_of(client: Client, flow: FlowDraft, key: str = "split-1", **query: str) -> Any:
    return client.get(reverse("wagtail_triggers:variants", args=[flow.pk, key]), query)


def test_subject_preheader_and_picture_of_each_variant_stand_side_by_side(
    publisher_client: Client, two_letters: None
) -> None:
    page = page_of(publisher_client, make_split_flow()).content.decode()
    first, second = page.split('class="triggers-variants__one"')[1:]
    assert "Variant A" in first
    assert "75 %" in first
    assert "Still here, Sasha?" in first
    assert "Your tea waits" in first
    assert f'src="{reverse("wagtail_triggers:letter_picture", args=["letter-1"])}' in first
    assert 'sandbox=""' in first
    assert "Variant B" in second
    assert "25 %" in second
    assert "Ten percent for you" in second


def test_a_picture_is_the_letter_with_samples_and_runs_nothing(
    publisher_client: Client, two_letters: None
) -> None:
    url = reverse("wagtail_triggers:letter_picture", args=["letter-1"])
    response = publisher_client.get(url)
    assert "Hello Sasha" in response.content.decode()
    assert response["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert response["X-Frame-Options"] == "SAMEORIGIN"
    missing = reverse("wagtail_triggers:letter_picture", args=["never-written"])
    assert publisher_client.get(missing).status_code == 404


def test_a_picture_of_a_letter_of_blocks_shows_what_was_saved_last(
    publisher_client: Client, db: None
) -> None:
    draft = make_letter()
    draft.blocks = [("heading", {"text": "Saved and not live", "size": "h1"})]
    draft.save_revision()
    url = reverse("wagtail_triggers:letter_picture", args=["letter-1"])
    assert "Saved and not live" in publisher_client.get(url).content.decode()


def test_what_was_saved_last_is_shown_and_not_what_is_live(
    publisher_client: Client, two_letters: None
) -> None:
    flow = make_split_flow()
    draft = make_template("letter-3", subject="Before")
    draft.subject = "After"
    draft.save_revision()
    steps = flow.steps.stream_block.get_prep_value(flow.steps)
    steps[0]["value"]["branch_a"][0]["value"]["template"] = "letter-3"
    edit = reverse(flow.snippet_viewset.get_url_name("edit"), args=[flow.pk])
    assert publisher_client.post(edit, flow_form(flow, steps=steps)).status_code == 302
    page = page_of(publisher_client, flow).content.decode()
    assert "After" in page
    assert "Before" not in page


def test_each_variant_says_what_came_of_it_where_the_flow_is_live(
    publisher_client: Client, two_letters: None
) -> None:
    flow = make_split_flow()
    engine, now = Flow.objects.get(key="two-ways"), timezone.now()
    for arm, clicked in (("a", True), ("a", False), ("b", False)):
        message = make_message(
            engine, now, variants={"split-1": arm}, clicked_at=now if clicked else None
        )
    make_order(message)
    make_message(engine, now, variants={"split-1": "a"}, is_shadow=True)
    make_message(engine, now, variants={"another": "a"})
    found = arms.of_split("two-ways", "split-1", now)
    told = {arm: (one.sent, one.clicked, one.orders) for arm, one in found.items()}
    assert told == {"a": (2, 1, 0), "b": (1, 0, 1)}
    page = " ".join(page_of(publisher_client, flow).content.decode().split())
    assert "<dt>Sent</dt><dd>2</dd>" in page
    assert "<dt>Clicked</dt><dd>1 (50 %)</dd>" in page
    assert "<dt>Orders</dt><dd>1</dd>" in page


def test_a_flow_that_was_never_live_has_no_figures(
    publisher_client: Client, two_letters: None
) -> None:
    page = page_of(publisher_client, make_split_flow(publish=False)).content.decode()
    assert "<dt>Sent</dt>" not in page
    assert not Flow.objects.exclude(state=FlowState.ARCHIVED).exists()


def test_the_page_costs_a_dozen_queries_at_most(
    publisher_client: Client, two_letters: None
) -> None:
    flow = make_split_flow()
    url = reverse("wagtail_triggers:variants", args=[flow.pk, "split-1"])
    count, _page = queries_of(publisher_client, url)
    assert count <= 12


def test_a_text_and_a_missing_letter_are_told_in_words(publisher_client: Client, db: None) -> None:
    make_text("letter-1")
    page = page_of(publisher_client, make_split_flow(publish=False)).content.decode()
    assert "Hello Sasha: http://localhost:8000/t/c/" in page
    assert "is not written yet" in page
    assert "<iframe" not in page


def test_the_letters_are_shown_in_another_language_where_they_are_written_in_it(
    publisher_client: Client, two_letters: None
) -> None:
    make_template(language="ru", subject="Ещё здесь?")
    page = page_of(publisher_client, make_split_flow(), language="ru").content.decode()
    assert "Ещё здесь?" in page
    assert "Ten percent for you" in page


def test_a_split_that_was_not_saved_yet_leads_back_to_the_form(
    publisher_client: Client, two_letters: None
) -> None:
    flow = make_split_flow()
    response = page_of(publisher_client, flow, "another")
    assert response.status_code == 302
    page = publisher_client.get(response["Location"]).content.decode()
    assert "Save the flow, then compare again." in page


def test_the_diagram_leads_to_the_comparison_at_the_split(
    publisher_client: Client, two_letters: None
) -> None:
    flow = make_split_flow()
    url = reverse("wagtail_triggers:desk_diagram", args=[flow.pk])
    page = publisher_client.post(url, flow_form(flow)).content.decode()
    assert page.count("Compare variants") == 1
    assert reverse("wagtail_triggers:variants", args=[flow.pk, "split-1"]) in page


def test_viewers_compare_and_others_do_not(person: Callable[..., Any], two_letters: None) -> None:
    flow = make_split_flow()
    viewer = signed_in(person("viewer", *permissions.VIEWER))
    assert page_of(viewer, flow).status_code == 200
    nobody = signed_in(person("nobody", "wagtailadmin.access_admin"))
    assert page_of(nobody, flow).status_code == 302
