"""Buyers see what people wait for, and everybody how the shop was liked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.models import (
    Contact,
    ProductRequest,
    RequestKind,
    RequestState,
    SavedSegment,
    SurveyAnswer,
)
from oscar_triggers.models.contacts import random_id
from tests.editor.conftest import signed_in
from tests.shopping import make_product
from wagtail_triggers import permissions


@pytest.fixture
def analyst(person: Callable[..., Any]) -> Client:
    """Return the browser of somebody who reads, takes lists away, and sees no personal data."""
    return signed_in(person("analyst", *permissions.ANALYST))


def somebody() -> Contact:
    now = timezone.now()
    return Contact.objects.create(identity_key=random_id(), created_at=now)


def ask(product: Any, people: int, **fields: Any) -> None:
    for _number in range(people):
        ProductRequest.objects.create(
            **{
                "contact": somebody(),
                "kind": RequestKind.BACK,
                "state": RequestState.WAITING,
                "product_id": product.pk,
                "quantity": 2,
                "created_at": timezone.now(),
                **fields,
            }
        )


def table(client: Client, name: str, **chosen: str) -> list[str]:
    """Return the CSV of a list, a line each, without the headings."""
    address = reverse(f"wagtail_triggers:{name}")
    response: Any = client.get(address, {**chosen, "export": "csv"})
    _headings, *lines = b"".join(response.streaming_content).decode().splitlines()
    return lines


def test_the_list_says_how_many_wait_for_what_and_how_many_are_free(analyst: Client) -> None:
    mug = make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=3)
    tent = make_product("Ridge tent", price=Decimal("120.00"), num_in_stock=0)
    mug.stockrecords.get().allocate(1)
    ask(mug, 1)
    ask(tent, 3)
    ask(tent, 2, kind=RequestKind.CHEAPER)
    ask(tent, 1, state=RequestState.BOUGHT)

    lines = table(analyst, "waiting")
    assert [line.rpartition(",")[0] for line in lines] == [
        f"{tent.pk},Ridge tent,When it is back in stock,3,6,0",
        f"{tent.pk},Ridge tent,When it is cheaper,2,4,0",
        f"{mug.pk},Enamel mug,When it is back in stock,1,2,2",
    ]
    assert len(table(analyst, "waiting", kind="cheaper")) == 1
    assert len(table(analyst, "waiting", product="mug")) == 1
    [bought] = table(analyst, "waiting", state="bought")
    assert ",1,2,0," in bought
    assert table(analyst, "waiting", ordering="people")[0].startswith(f"{mug.pk},")

    page = analyst.get(reverse("wagtail_triggers:waiting")).content.decode()
    assert "Ridge tent" in page
    assert "Free in stock" in page


def test_a_long_list_asks_the_database_as_often_as_a_short_one(
    analyst: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        ask(make_product(f"Cup {number}", price=Decimal("3.00"), num_in_stock=0), 2)
    analyst.get(reverse("wagtail_triggers:waiting"))
    with django_assert_max_num_queries(12):
        analyst.get(reverse("wagtail_triggers:waiting"))


def test_a_product_that_is_gone_still_has_its_line(analyst: Client) -> None:
    mug = make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=0)
    ask(mug, 1)
    number = mug.pk
    mug.delete()
    assert table(analyst, "waiting")[0].startswith(f"{number},#{number},")


def test_alerts_of_oscars_own_are_told_of_until_they_join_the_line(analyst: Client) -> None:
    address = reverse("wagtail_triggers:waiting")
    assert "of Oscar" not in analyst.get(address).content.decode()
    mug = make_product("Enamel mug", price=Decimal("12.50"), num_in_stock=0)
    alert = get_model("customer", "ProductAlert").objects.create(
        product=mug, email="mary@example.com"
    )
    alert.confirm()
    assert "1 alert of Oscar" in analyst.get(address).content.decode()
    ask(mug, 1, alert_id=alert.pk)
    assert "of Oscar" not in analyst.get(address).content.decode()


def answer(survey: str, score: int, text: str = "") -> None:
    SurveyAnswer.objects.create(
        survey=survey,
        contact=somebody(),
        about_type="order",
        about_id="100017",
        score=score,
        text=text,
        answered_at=timezone.now(),
    )


def test_answers_are_averaged_over_what_the_filters_leave(analyst: Client) -> None:
    for score in (5, 4, 2):
        answer("delivery", score)
    for score in (10, 9, 8, 3):
        answer("recommend", score)
    address = reverse("wagtail_triggers:answers")

    page = analyst.get(address).content.decode()
    assert "3.7 of 5 on average, from 3 answers" in page
    assert "7.5 of 10 on average, from 4 answers" in page
    assert "Net Promoter Score: 25" in page
    assert "How was the delivery of your order?" in page

    low = analyst.get(address, {"survey": "delivery", "at_most": "2"}).content.decode()
    assert "2.0 of 5 on average, from 1 answer" in low
    assert "Net Promoter" not in low
    assert len(table(analyst, "answers", at_least="9")) == 2


def test_no_name_is_a_formula_for_a_spreadsheet(publisher_client: Client) -> None:
    ask(make_product("=1+1", price=Decimal("12.50"), num_in_stock=0), 1)
    assert ",'=1+1," in table(publisher_client, "waiting")[0]
    SavedSegment.objects.create(key="sum", name="@SUM(A1)", changed_at=timezone.now())
    answer: Any = publisher_client.get(reverse("triggers_segments:index"), {"export": "csv"})
    assert b"\n'@SUM(A1)," in b"".join(answer.streaming_content)


def test_what_somebody_wrote_is_seen_by_those_who_may_see_people(
    analyst: Client, publisher_client: Client
) -> None:
    answer("delivery", 1, text="=my house, the blue one")
    shown = [
        client.get(reverse("wagtail_triggers:answers")).content.decode()
        for client in (analyst, publisher_client)
    ]
    assert ["the blue one" in page for page in shown] == [False, True]
    assert "blue" not in table(analyst, "answers")[0]
    # No formula for a spreadsheet.
    assert "\"'=my house" in table(publisher_client, "answers")[0]
