"""Vouchers of steps in the flow's form: chosen in words, published as chosen, counted beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import checking, incentives, plans
from oscar_triggers.models import Flow
from tests.editor.conftest import make_flow, make_template
from tests.editor.desk.test_panels import place
from tests.editor.forms import flow_form
from wagtail_triggers.compiler import from_definition, to_definition
from wagtail_triggers.models import FlowDraft

pytestmark = pytest.mark.django_db


def promising(voucher: dict[str, Any], kind: str = "send") -> FlowDefinition:
    """Return a flow whose one step promises a voucher."""
    options = {"voucher": voucher, **({"template": "letter-1"} if kind == "send" else {})}
    return FlowDefinition.from_dict(
        {
            "flow": "left-basket",
            "name": "Left basket",
            "trigger": {"kind": "basket_left", "idle": "1h"},
            "goals": ["order_placed"],
            "steps": [{"key": "letter-1", "kind": kind, "options": options}],
        }
    )


def category(name: str = "Mugs") -> Any:
    """Return a category of the shop."""
    return get_model("catalogue", "Category").add_root(name=name)


def whole(mugs: Any) -> dict[str, Any]:
    """Return all that a voucher can be told."""
    return {
        "amount": "7.5",
        "valid": "5d",
        "minimum": 40,
        "categories": [str(mugs.pk)],
        "exclude_reduced": True,
        "monthly_limit": 100,
        "monthly_budget": 500,
        "without": "send",
    }


def test_all_that_is_chosen_of_a_voucher_is_published_as_it_was_chosen(
    publisher_client: Client,
) -> None:
    make_template("letter-1", publish=True)
    mugs = category()
    draft = make_flow(**from_definition(promising(whole(mugs))))
    address = reverse(FlowDraft.snippet_viewset.get_url_name("edit"), args=[draft.pk])
    page = publisher_client.get(address).content.decode()
    for label in ("Amount off", "Only from a basket worth", "Only goods of these categories",
                  "Not for goods that are reduced already", "Vouchers in a month at most",
                  "Budget of a month", "When no voucher may be given", "Mugs"):  # fmt: skip
        assert label in page, label
    response = publisher_client.post(address, {**flow_form(draft), "action-publish": "1"})
    assert response.status_code == 302, "what the form showed can be posted"
    flow = Flow.objects.get(key=draft.key)
    assert flow.live_version is not None
    [step] = plans.plan_of(flow.live_version).definition.steps
    assert step.options["voucher"] == whole(mugs)


@pytest.mark.parametrize("given", [{}, {"percent": "10", "amount": "5"}])
def test_a_granted_voucher_is_either_a_share_or_an_amount(
    publisher_client: Client, given: dict[str, str]
) -> None:
    draft = make_flow(**from_definition(promising({"percent": 10}, kind="voucher")))
    raw = draft.steps.stream_block.get_prep_value(draft.steps)
    raw[0]["value"]["voucher"] |= {"percent": None, "amount": None, **given}
    address = reverse(FlowDraft.snippet_viewset.get_url_name("edit"), args=[draft.pk])
    page = publisher_client.post(
        address, {**flow_form(draft, steps=raw), "action-publish": "1"}
    ).content.decode()
    assert "Fill in either the percentage or the amount." in page
    assert not Flow.objects.filter(key=draft.key, live_version__isnull=False).exists()


def test_a_file_may_name_a_category_by_its_word_and_the_form_shows_it_chosen() -> None:
    mugs = category()
    draft = make_flow(**from_definition(promising({"percent": 10, "categories": ["mugs"]})))
    [step] = to_definition(draft).steps
    assert step.options["voucher"]["categories"] == [str(mugs.pk)]


@pytest.mark.parametrize(
    ("voucher", "said"),
    [
        ({"percent": 0}, "above 0"),
        ({"percent": 10, "amount": 5}, "not both"),
        ({"amount": -5}, "above 0"),
        ({"amount": "NaN"}, "must be a number"),
        ({"amount": 5, "minimum": -1}, "above 0"),
        ({"percent": 10, "monthly_limit": 0}, "whole number"),
        ({"amount": 50, "monthly_budget": 20}, "enough for one"),
        ({"percent": 10, "without": "perhaps"}, "without"),
        ({"percent": 10, "categories": ["Socks"]}, "Socks"),
    ],
)
def test_nonsense_is_found_before_it_is_published(voucher: dict[str, Any], said: str) -> None:
    make_template("letter-1", publish=True)
    found = checking.findings_of(promising(voucher))
    assert any(said in finding.message for finding in found), [str(one) for one in found]


def test_what_is_used_of_the_month_stands_beside_the_step(
    publisher_client: Client, person: Callable[..., Any]
) -> None:
    terms = {"amount": 10, "monthly_limit": 3, "monthly_budget": 100}
    draft = make_flow(publish=True, **from_definition(promising(terms, kind="voucher")))
    enrollment = place(publisher_client, draft)
    now = timezone.now()
    granted = incentives.grant_for_step(
        enrollment.pk, "letter-1", 0, enrollment.contact_id, terms, now - timedelta(seconds=1)
    )
    assert not isinstance(granted, incentives.Limited)
    address = reverse(FlowDraft.snippet_viewset.get_url_name("edit"), args=[draft.pk])
    page = publisher_client.get(address).content.decode()
    assert "This month: 1 of 3 vouchers given" in page
    assert "10.00" in page
    assert "of 100.00" in page
