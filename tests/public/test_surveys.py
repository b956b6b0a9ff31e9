"""The pages of surveys and reviews, as a reader, a scanner and a stranger open them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_triggers.engine import contacts
from oscar_triggers.models import Contact, JournalEntry, SurveyAnswer
from oscar_triggers.shop.surveys import links
from oscar_triggers.shop.surveys.links import Invitation
from oscar_triggers.snapshots import About, Person
from tests.shop.conftest import commit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    """Forget who tried what."""
    cache.clear()


@pytest.fixture
def reader() -> Contact:
    """Return a guest who got a letter about an order."""
    pk = contacts.resolve(Person(email="guest@example.com"), now=timezone.now())
    return Contact.objects.get(pk=pk)


def address(contact: Contact, survey: str = "delivery", order: str = "R-1") -> str:
    """Return the page of a survey."""
    about = About(type="order", id=order)
    return links.path_of(Invitation(survey=survey, contact_id=contact.pk, about=about))


def post(path: str, **answer: Any) -> Any:
    """Answer, as a browser whose page said no-referrer."""
    client = Client(enforce_csrf_checks=True, headers={"origin": "null"})
    return client.post(path, answer)


def answers() -> list[tuple[str, int, str]]:
    """Return what was answered, oldest first."""
    return list(SurveyAnswer.objects.order_by("pk").values_list("survey", "score", "text"))


def test_a_link_shows_the_stars_that_were_clicked_and_records_nothing(reader: Contact) -> None:
    client = Client()
    for ask in (client.get, client.head):
        response = ask(f"{address(reader)}?score=4")
        assert response.status_code == 200
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex, nofollow"
        assert response["Cache-Control"] == "private, no-store"
        assert not response.cookies
    page = client.get(f"{address(reader)}?score=4").content.decode()
    [chosen] = re.findall(r'value="(\d+)" required checked', page)
    assert chosen == "4"
    assert page.count('type="radio"') == page.count('<label for="answer-') == 5
    assert "<script" not in page
    assert "guest@example.com" not in page
    assert answers() == []
    assert not JournalEntry.objects.filter(kind="survey_answered").exists()


def test_a_link_says_nothing_personal(reader: Contact) -> None:
    assert "guest" not in address(reader)
    assert "@" not in address(reader)


@pytest.mark.parametrize("nonsense", ["", "6", "0", "x", "4.0", "²"])
def test_stars_that_are_none_choose_nothing(reader: Contact, nonsense: str) -> None:
    page = Client().get(address(reader), {"score": nonsense}).content.decode()
    assert "checked" not in page.replace(":checked", "")
    response = post(address(reader), score=nonsense, text="Late & wet")
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()
    assert "Late &amp; wet" in response.content.decode(), "what was typed is not lost"
    assert answers() == []


def test_sending_the_form_keeps_one_answer_which_may_be_changed(reader: Contact) -> None:
    response = post(address(reader), score="4", text="Quick\0 enough")
    assert response.status_code == 200
    assert answers() == [("delivery", 4, "Quick enough")]
    post(address(reader), score="2", text="")
    assert answers() == [("delivery", 2, "Quick enough")], "nothing typed takes nothing back"
    post(address(reader, order="R-2"), score="5", text="x" * 5_000)
    assert [(survey, score) for survey, score, _text in answers()] == [
        ("delivery", 2),
        ("delivery", 5),
    ]
    assert len(answers()[1][2]) == 2_000
    reader.refresh_from_db()
    assert reader.fields["survey_delivery"] == 5


def test_flows_are_told_of_each_answer_that_differs(reader: Contact) -> None:
    for score in ("9", "9", "3"):
        post(address(reader, "recommend"), score=score, text="secret")
    rows = list(JournalEntry.objects.filter(kind="survey_answered").order_by("pk"))
    assert [(one.payload["score"], one.payload["group"]) for one in rows] == [
        (9, "promoter"),
        (3, "detractor"),
    ]
    assert {(one.about_type, one.about_id) for one in rows} == {("order", "R-1")}
    assert "secret" not in str([(one.payload, one.person) for one in rows])


def test_the_page_of_thanks_asks_what_is_not_answered_yet(reader: Contact) -> None:
    page = post(address(reader), score="5").content.decode()
    assert "Thank you" in page
    assert "recommend us" in page
    [action] = re.findall(r'action="([^"]+)"', page)
    done = post(action, score="10").content.decode()
    assert "<form" not in done
    assert [(survey, score) for survey, score, _ in answers()] == [
        ("delivery", 5),
        ("recommend", 10),
    ]
    assert "<form" not in post(address(reader), score="5").content.decode()


def test_what_we_did_not_sign_gets_one_and_the_same_page(reader: Contact) -> None:
    token = links.token_of(
        Invitation(survey="delivery", contact_id=999_999, about=About(type="", id=""))
    )
    gone = links.token_of(
        Invitation(survey="unknown", contact_id=reader.pk, about=About(type="", id=""))
    )
    right = address(reader).rstrip("/").rpartition("/")[2]
    pages = set()
    for one in ("x", "a:b:c", right[:-1] + ("A" if right[-1] != "A" else "B"), token, gone):
        path = reverse("oscar_triggers:survey", args=[one])
        for response in (Client().get(path), post(path, score="4")):
            assert response.status_code == 404
            pages.add(response.content)
    assert len(pages) == 1
    assert answers() == []


def test_one_link_cannot_be_answered_without_end(reader: Contact, settings: Any) -> None:
    from datetime import timedelta

    settings.OSCAR_TRIGGERS = {
        **settings.OSCAR_TRIGGERS,
        "REQUEST_LIMITS": (2, timedelta(hours=1)),
    }
    statuses = [post(address(reader), score=str(n)).status_code for n in (1, 2, 3)]
    assert statuses == [200, 200, 429]
    assert answers() == [("delivery", 2, "")]


def test_the_answer_of_somebody_who_became_a_customer_is_the_customers(
    reader: Contact, member: Any
) -> None:
    path = address(reader)
    customer = contacts.resolve(Person(user_id=member.pk), now=timezone.now())
    Contact.objects.filter(pk=reader.pk).update(joined_into=customer)
    post(path, score="4")
    assert SurveyAnswer.objects.get().contact_id == customer


# ── The link of stars to Oscar's review form ────────────────────────────────────────────────────


def stars(product: Any, score: Any = None) -> str:
    """Return the address of a star."""
    path = reverse("oscar_triggers:review", args=[product.pk])
    return path if score is None else f"{path}?score={score}"


def reviews() -> list[Any]:
    """Return all reviews."""
    return list(get_model("reviews", "ProductReview").objects.order_by("pk"))


def test_a_star_opens_the_shops_form_with_the_score_and_records_nothing(
    client: Any, product: Any
) -> None:
    for ask in (client.get, client.head):
        assert ask(stars(product, 4)).status_code == 200
    page = client.get(stars(product, 4)).content.decode()
    assert '<option value="4" selected>' in page
    assert "Leave a product review" in page, "the shop's own template"
    assert product.title in page
    assert reviews() == []
    assert not JournalEntry.objects.exists()


@pytest.mark.parametrize("score", ["", "0", "6", "-1", "four"])
def test_other_scores_choose_nothing(client: Any, product: Any, score: str) -> None:
    page = client.get(stars(product, score)).content.decode()
    assert '<select name="score"' in page
    assert not re.search(r'<option value="\d" selected', page)


def test_sending_the_form_is_writing_a_review_in_the_shop(
    member_client: Any, member: Any, product: Any
) -> None:
    response = member_client.post(
        stars(product, 4), {"title": "Fine", "score": 4, "body": "Holds tea"}
    )
    assert response.status_code == 302
    assert response.url == product.get_absolute_url()
    [one] = reviews()
    assert (one.product_id, one.user_id, one.score) == (product.pk, member.pk, 4)
    commit()
    assert JournalEntry.objects.filter(kind="review_written").count() == 1
    again = member_client.get(stars(product, 5))
    assert again.status_code == 302, "the shop says that there is one already"


def test_a_form_that_is_not_complete_comes_back(client: Any, product: Any) -> None:
    page = client.post(stars(product, 4), {"score": 4}).content.decode()
    assert "This field is required" in page
    assert reviews() == []


def test_the_form_is_guarded_as_the_shops_own(product: Any) -> None:
    careful = Client(enforce_csrf_checks=True)
    response = careful.post(stars(product, 4), {"title": "x", "score": 4, "body": "x"})
    assert response.status_code == 403
    page = careful.get(stars(product, 4))
    assert page["Referrer-Policy"] == "same-origin", "or the shop's own check would refuse"
    assert "csrfmiddlewaretoken" in page.content.decode()


def test_a_variants_review_is_the_parents(member_client: Any, db: None) -> None:
    from decimal import Decimal

    from oscar.test import factories

    from tests.shopping import make_product

    parent = factories.create_product(title="Jacket", product_class="Gear", structure="parent")
    child = make_product("Blue", price=Decimal("9.00"), parent=parent)
    member_client.post(stars(child, 5), {"title": "Fine", "score": 5, "body": "Warm"})
    assert [one.product_id for one in reviews()] == [parent.pk]


def test_who_must_sign_in_comes_back_to_the_stars(client: Any, product: Any, settings: Any) -> None:
    settings.OSCAR_ALLOW_ANON_REVIEWS = False
    response = client.get(stars(product, 4))
    assert response.status_code == 302
    assert response.url.startswith(reverse("customer:login"))
    assert "score%3D4" in response.url


def test_what_is_not_shown_and_a_shop_without_reviews_have_no_form(
    client: Any, product: Any, settings: Any
) -> None:
    settings.OSCAR_HIDDEN_FEATURES = ["reviews"]
    assert client.get(stars(product, 4)).status_code == 404
    settings.OSCAR_HIDDEN_FEATURES = []
    type(product).objects.update(is_public=False)
    assert client.get(stars(product, 4)).status_code == 404
