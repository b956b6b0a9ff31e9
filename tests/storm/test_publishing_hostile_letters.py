"""Letters that kill mrml, and two hundred good ones, at the door where they are saved."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from oscar_triggers.content import rendering
from oscar_triggers.content.letters import CompiledLetter, LetterSource
from oscar_triggers.engine import templates
from oscar_triggers.exceptions import TemplateError
from oscar_triggers.models import Owner, Template, TemplateVersion
from tests.content.letters import in_column, values
from tests.content.test_compile_once import Author

pytestmark = [pytest.mark.storm, pytest.mark.django_db]

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)
GOOD = 201


def _publish(key: str, body: str, *, language: str = "ru", subject: str = "Ваша корзина") -> str:
    source = LetterSource(subject=subject, body=body, language=language)
    version = templates.publish(key, key, source, owner=Owner.FILE, now=NOW)
    compiled = CompiledLetter.from_json(version.compiled)
    return rendering.fill(compiled, values(), language=language, time_zone="").html


def test_a_sign_that_makes_mrml_panic_is_published_and_reads_right() -> None:
    html = _publish(
        "further", in_column('<mj-button href="https://a.example">Далее > ещё</mj-button>')
    )
    assert "Далее &gt; ещё" in html


@pytest.mark.parametrize(
    "body",
    [
        "<mjml><mj-body>" + "<mj-section>" * 2_000 + "</mj-section>" * 2_000 + "</mj-body></mjml>",
        in_column(
            "<mj-carousel>"
            + '<mj-carousel-image src="https://a.example/1.png" alt="" />' * 4_800
            + "</mj-carousel>"
        ),
    ],
    ids=["2000 sections in each other", "a carousel of 280 kB"],
)
def test_what_would_kill_the_process_is_refused_with_a_reason(body: str) -> None:
    with pytest.raises(TemplateError) as refused:
        _publish("killer", body)
    assert all(problem.message for problem in refused.value.problems)
    # Nothing of it stays: the next letter under that name is its first version.
    assert not TemplateVersion.objects.exists()
    assert "Привет" in _publish("killer", in_column("<mj-text>Привет</mj-text>"))
    assert TemplateVersion.objects.get().number == 1


def test_two_hundred_good_letters_in_three_languages_are_published() -> None:
    for number in range(GOOD):
        language = ("en", "de", "ru")[number % 3]
        author = Author(language, 10_000 + number)
        html = _publish(
            f"letter-{number}",
            # A tag that only the tests of the compiler know.
            author.letter().replace("{{ shop.color }}", "#336699"),
            language=language,
            subject=f"{author.words[0]} {{{{ contact.first_name }}}}",
        )
        assert f'lang="{language}"' in html
    assert Template.objects.count() == TemplateVersion.objects.count() == GOOD
