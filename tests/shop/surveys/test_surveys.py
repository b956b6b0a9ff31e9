"""Surveys: links in letters, what flows and conditions make of answers, a shop's own questions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oscar_triggers import conditions
from oscar_triggers.content import context, tags
from oscar_triggers.definitions import FlowDefinition
from oscar_triggers.engine import contacts, flows
from oscar_triggers.exceptions import InvalidOptions
from oscar_triggers.models import Contact, Enrollment, Owner, SurveyAnswer
from oscar_triggers.shop.surveys import answering, links, questions
from oscar_triggers.shop.surveys.events import SurveyAnswered, SurveyAnsweredOptions
from oscar_triggers.shop.surveys.links import Invitation
from oscar_triggers.shop.surveys.questions import Survey
from oscar_triggers.snapshots import About, Person, Subject
from tests.shop.conftest import Clock, commit
from tests.shop.test_conditions_orders import about_nothing

pytestmark = pytest.mark.django_db
ORDER = About(type="order", id="R-1")


@pytest.fixture
def reader() -> Contact:
    """Return a guest who got a letter about an order."""
    pk = contacts.resolve(Person(email="guest@example.com"), now=timezone.now())
    return Contact.objects.get(pk=pk)


def answer(contact: Contact, score: int, survey: str = "delivery", about: About = ORDER) -> None:
    """Answer a survey about an order."""
    invitation = Invitation(survey=survey, contact_id=contact.pk, about=about)
    opened = answering.open_link(links.token_of(invitation))
    assert opened is not None
    answering.answer(opened, score, "", timezone.now())


def provide(subject: Subject) -> dict[str, Any]:
    """Return what the provider of surveys says."""
    [provided] = context.registry.get("survey").provide_many([subject], timezone.now())
    return dict(provided.values)


def ask(*subjects: Subject, **options: Any) -> list[Any]:
    """Return the verdicts."""
    question = conditions.from_options({"kind": "survey_answer", **options})
    return question.holds_many(subjects, timezone.now())


def test_letters_about_an_order_have_links_to_each_answer(reader: Contact) -> None:
    said = provide(about_nothing(contact_id=reader.pk, about=ORDER, enrollment_id=7))["survey"]
    assert {f"star_{n}" for n in range(1, 6)} <= set(said)
    assert {f"nps_{n}" for n in range(11)} <= set(said)
    assert said["star_4"] == f"{said['url']}?score=4"
    assert said["nps_0"] == f"{said['nps_url']}?score=0"
    token = said["url"].rstrip("/").rpartition("/")[2]
    assert links.read(token) == Invitation(
        survey="delivery", contact_id=reader.pk, about=ORDER, enrollment_id=7
    )
    assert len(said["star_4"]) < 200


def test_letters_about_other_things_say_nothing_and_no_letter_costs_a_query() -> None:
    with CaptureQueriesContext(connection) as captured:
        assert provide(about_nothing(about=About(type="basket", id="1"))) == {}
        assert provide(about_nothing(about=ORDER))
    assert len(captured) == 0


@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_previews_know_every_link(language: str) -> None:
    sample = tags.samples("order", language)["survey"]
    assert set(provide(about_nothing(about=ORDER))["survey"]) <= set(sample)


def test_the_last_answer_counts(reader: Contact) -> None:
    someone = about_nothing(contact_id=reader.pk, about=ORDER)
    stranger = about_nothing(contact_id=77)
    answer(reader, 2)
    answer(reader, 5, about=About(type="order", id="R-2"))
    SurveyAnswer.objects.filter(about_id="R-1").update(
        answered_at=timezone.now() - timedelta(days=40)
    )
    assert [one.holds for one in ask(someone, stranger, score=5)] == [True, False]
    assert ask(someone, score=5)[0].compared["score"] == 5
    assert not ask(someone, comparison="at_most", score=4)[0].holds
    assert ask(someone, comparison="at_most", score=2, same_thing=True)[0].holds
    assert not ask(someone, comparison="answered", same_thing=True, within="30d")[0].holds
    assert not ask(stranger, comparison="at_most", score=5)[0].holds, "no answer is no bad one"
    assert not ask(someone, survey="recommend", comparison="answered")[0].holds


def test_a_batch_costs_as_many_queries_as_one(reader: Contact) -> None:
    answer(reader, 2)

    def queries(count: int) -> int:
        people = [about_nothing(contact_id=reader.pk + number) for number in range(count)]
        with CaptureQueriesContext(connection) as captured:
            ask(*people, score=1)
        return len(captured)

    assert queries(1) == queries(6)


def test_a_question_that_cannot_be_asked_is_refused() -> None:
    with pytest.raises(InvalidOptions):
        ask(comparison="nearly")
    with pytest.raises(InvalidOptions):
        ask(score=11)
    with pytest.raises(InvalidOptions):
        SurveyAnsweredOptions.from_options({"at_least": 6, "at_most": 2})


def test_a_bad_answer_starts_a_flow_once_and_becomes_a_field(reader: Contact, clock: Clock) -> None:
    definition = FlowDefinition.from_dict(
        {
            "flow": "sorry",
            "trigger": {"kind": "survey_answered", "survey": "delivery", "at_most": 3},
            "steps": [{"key": "pause", "kind": "wait", "options": {"duration": "20d"}}],
        }
    )
    flows.publish(definition, owner=Owner.FILE, now=timezone.now() - timedelta(minutes=1))
    answer(reader, 5, about=About(type="order", id="R-0"))
    clock.tick()
    assert not Enrollment.objects.exists()
    for score in (2, 4, 3):
        answer(reader, score)
        clock.tick()
    enrollment = Enrollment.objects.get()
    assert enrollment.contact_id == reader.pk
    assert enrollment.payload["score"] == 2
    assert (enrollment.about_type, enrollment.about_id) == ("order", "R-1")
    [verdict] = conditions.from_options(
        {
            "kind": "contact_field",
            "name": "survey_delivery",
            "comparison": "at_least",
            "wanted": "3",
        }
    ).holds_many([about_nothing(contact_id=reader.pk)], timezone.now())
    assert verdict.holds


def test_numbers_from_0_to_10_fall_into_three_groups() -> None:
    groups = [questions.RECOMMEND.group_of(score) for score in range(11)]
    assert groups == ["detractor"] * 7 + ["passive"] * 2 + ["promoter"] * 2
    assert questions.DELIVERY.group_of(5) == ""


def test_a_shop_asks_questions_of_its_own(reader: Contact) -> None:
    packing = Survey(name="packing", question="How was it packed?")
    with questions.registry.temporarily("packing", packing):
        said = provide(about_nothing(contact_id=reader.pk, about=ORDER))["survey"]["packing"]
        assert said["star_1"] == f"{said['url']}?score=1"
        answer(reader, 5, survey="packing")
        assert ("packing", "How was it packed?") in questions.choices()
    reader.refresh_from_db()
    assert reader.fields["survey_packing"] == 5


@pytest.mark.parametrize("wrong", [{"name": "Not so"}, {"name": "fine", "scale": "smileys"}])
def test_a_survey_that_cannot_be_kept_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidOptions):
        questions.register(Survey(question="?", **wrong))
    assert "fine" not in questions.registry


def test_an_answer_goes_with_the_person(reader: Contact) -> None:
    answer(reader, 3)
    commit()
    reader.delete()
    assert not SurveyAnswer.objects.exists()


def test_the_same_answer_is_one_act_for_each_person_and_thing() -> None:
    one = SurveyAnswered(survey="delivery", score=3, contact_id=1)
    assert one.act_key(ORDER) != SurveyAnswered(survey="delivery", score=3, contact_id=2).act_key(
        ORDER
    )
    assert one.act_key(ORDER) != one.act_key(None)
