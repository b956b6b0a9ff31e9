"""Every text can be translated, and is: Russian as a whole, German for what the engine says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise

from oscar_triggers.insight import telling
from oscar_triggers.models import Contact, Conversion, MessageState
from tests.policy.rows import NOW, enroll, plan_message
from tests.policy.rows import make_flow as make_live_flow
from tests.services import demand

ROOT = Path(__file__).resolve().parent.parent
CATALOGS = [("oscar_triggers", "ru"), ("oscar_triggers", "de"), ("wagtail_triggers", "ru")]
#: Wagtail reads its own "Home" once, in whatever language the process begins with.
OF_WAGTAIL = {"Home"}
CYRILLIC = re.compile("[А-Яа-яЁё]")
#: Named and positional places of Python's % formatting.
PLACES = re.compile(r"%(?:\((?P<name>\w+)\))?[-+ #0]*\d*(?:\.\d+)?(?P<kind>[diouxXeEfFgGcrsa%])")
#: Places of str.format, which are no merge tags.
BRACES = re.compile(r"(?<!\{)\{\w+\}(?!\})")
LATIN = re.compile("[A-Za-z]{3,}")

catalogs = pytest.mark.parametrize(("package", "language"), CATALOGS)


@pytest.fixture(autouse=True)
def back_to_the_shops_language() -> Iterator[None]:
    """Let no page's language outlive its test: Django's client leaves the last one active."""
    yield
    translation.deactivate()


def po_path(package: str, language: str) -> Path:
    """Return the file that translators write."""
    return ROOT / package / "locale" / language / "LC_MESSAGES" / "django.po"


def read(path: Path) -> Catalog:
    """Return the catalogue in a .po file."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, abort_invalid=True)


def texts(catalog: Catalog) -> list[Message]:
    """Return the texts of a catalogue, without its header."""
    return [message for message in catalog if message.id]


def forms(value: Any) -> tuple[str, ...]:
    """Return one text, or all forms of a plural, as a tuple."""
    return tuple(value) if isinstance(value, list | tuple) else (value or "",)


def places(text: str) -> set[str]:
    """Return what is filled into a text, by name and kind."""
    named = {match[0] for match in PLACES.finditer(text) if match["name"]}
    return named | set(BRACES.findall(text))


def by_english(message: Message) -> tuple[str, str, tuple[str, ...]]:
    """Return context, first English form and translation."""
    context: Any = message.context or ""
    # Babel leaves the contexts of a .mo file as bytes.
    said = context.decode() if isinstance(context, bytes) else context
    return said, forms(message.id)[0], forms(message.string)


def key(message: Message) -> tuple[str, tuple[str, ...]]:
    """Return what gettext finds a text by."""
    return message.context or "", forms(message.id)


@catalogs
def test_everything_is_translated_and_nothing_is_guessed(package: str, language: str) -> None:
    found = texts(read(po_path(package, language)))
    assert len(found) > 200
    assert [message.id for message in found if not all(forms(message.string))] == []
    assert [message.id for message in found if message.fuzzy] == []


@catalogs
def test_a_translation_fills_in_the_same_values(package: str, language: str) -> None:
    catalog = read(po_path(package, language))
    wrong = []
    for message in texts(catalog):
        wanted = {name for text in forms(message.id) for name in places(text)}
        wrong += [(message.id, text) for text in forms(message.string) if places(text) != wanted]
        if message.pluralizable and len(forms(message.string)) != catalog.num_plurals:
            wrong.append((message.id, "plural forms"))
    assert wrong == []


@catalogs
def test_what_is_shipped_is_what_translators_wrote(package: str, language: str) -> None:
    path = po_path(package, language)
    with path.with_suffix(".mo").open("rb") as file:
        compiled = {by_english(message) for message in read_mo(file) if message.id}
    written = {by_english(message) for message in texts(read(path))}
    assert compiled == written, "run: make messages"


def test_one_english_text_is_one_text_in_each_language() -> None:
    engine, editor = (
        {(m.context, forms(m.id)[0]): m.string for m in texts(read(po_path(package, "ru")))}
        for package in ("oscar_triggers", "wagtail_triggers")
    )
    # Django keeps all apps' texts in one heap: where two differ, the order of apps would decide.
    assert {
        k: (engine[k], editor[k]) for k in engine if editor.get(k, engine[k]) != engine[k]
    } == {}


@catalogs
def test_no_text_was_forgotten(package: str, language: str, tmp_path: Path) -> None:
    if shutil.which("xgettext") is None or shutil.which("msgmerge") is None:
        demand("GNU gettext", "apt-get install gettext")
    copy = tmp_path / package
    shutil.copytree(ROOT / package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "--locale", language, "--no-location"],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    now = {key(message) for message in texts(read(copy / po_path("", language).relative_to(ROOT)))}
    kept = {key(message) for message in texts(read(po_path(package, language)))}
    assert (now - kept, kept - now) == (set(), set()), "run: make messages, then translate"


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


class _TextNodes(HTMLParser):
    """Collects what a page shows, and what its scripts and forms will."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shown: set[str] = set()

    def handle_data(self, data: str) -> None:
        self.shown.add(" ".join(data.split()))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("title", "placeholder", "alt", "aria-label", "label"):
                self.shown.add(" ".join((value or "").split()))


def read_escapes(page: str) -> str:
    """Return a page with the letters that JSON inside it escapes."""
    return re.sub(r"\\u([0-9a-f]{4})", lambda match: chr(int(match[1], 16)), page)


def left_in_english(page: str, language: str) -> set[str]:
    """Return our own texts that a page shows in English though they are translated."""
    nodes = _TextNodes()
    nodes.feed(page)
    whole = " ".join(unescape(page).split())
    found = set()
    for package in ("oscar_triggers", "wagtail_triggers"):
        path = po_path(package, language)
        for message in texts(read(path)) if path.exists() else ():
            english = forms(message.id)[0]
            if english in forms(message.string) or "%" in english:
                continue
            capital = english[:1].upper() + english[1:]
            # Long enough to be nothing else, wherever it stands: forms of blocks are JSON.
            buried = english.count(" ") >= 2 and (english in whole or capital in whole)
            if buried or {english, capital} & nodes.shown:
                found.add(english)
    return found


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "asked", "done"),
    [
        ("ru", "Больше не присылать эти письма?", "Подписаться снова"),
        ("de", "Diese E-Mails beenden?", "Wieder anmelden"),
    ],
)
def test_the_unsubscribe_pages_speak_the_visitors_language(
    language: str, asked: str, done: str
) -> None:
    client = Client(headers={"accept-language": language})
    url = reverse("oscar_triggers:unsubscribe", args=["3Qw8ZyL0pTn5VbXk2RmC7a"])
    question = client.get(url).content.decode()
    answer = client.post(url, {"action": "unsubscribe"}).content.decode()
    assert f'<html lang="{language}"' in question
    assert asked in question
    assert done in answer
    for page in (question, answer):
        assert left_in_english(page, language) == set()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", "Даю согласие на рассылку «Предложения и напоминания» от"),
        ("de", "Ich möchte „Angebote und Erinnerungen“ von"),
    ],
)
def test_an_opt_in_box_asks_in_the_visitors_language(language: str, words: str) -> None:
    request = RequestFactory().get("/")
    with translation.override(language):
        page = Template(
            "{% load triggers %}{% triggers_opt_in %}{% triggers_sale_notice %}"
        ).render(Context({"request": request}))
    assert words in page
    assert left_in_english(page, language) == set()


def test_a_page_that_was_forgotten_would_be_noticed() -> None:
    assert left_in_english("<h1>Stop these e-mails?</h1>", "ru") == {"Stop these e-mails?"}
    assert left_in_english('<input placeholder="Unsubscribe">', "ru") == {"Unsubscribe"}
    assert left_in_english('<i data-x="[&quot;A basket was left behind&quot;]">', "ru") != set()
    assert left_in_english("<h1>Больше не присылать эти письма?</h1>", "ru") == set()


@pytest.fixture
def russian(root_page: Any) -> Client:
    """Return the browser of an admin who set Wagtail to Russian."""
    from wagtail.users.models import UserProfile

    user = get_user_model().objects.create_superuser(
        username="olga", email="olga@shop.example", password="tea-and-biscuits"
    )
    profile = UserProfile.get_for_user(user)
    profile.preferred_language = "ru"
    profile.save()
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def editor_pages() -> dict[str, str]:
    """Return the addresses of the editor's pages by what they are, with something on each."""
    from tests.editor.conftest import make_flow, make_template

    template = make_template()
    flow = make_flow(publish=True)
    make_flow("unfinished", name="Unfinished")
    flows, templates = (type(one).snippet_viewset for one in (flow, template))
    return {
        "flows": reverse(flows.get_url_name("list")),
        "flow": reverse(flows.get_url_name("edit"), args=[flow.pk]),
        "new flow": reverse(flows.get_url_name("add")),
        "templates": reverse(templates.get_url_name("list")),
        "template": reverse(templates.get_url_name("edit"), args=[template.pk]),
        "messages": reverse("triggers_messages:index"),
        "files": reverse("wagtail_triggers:files"),
    }


def test_the_editor_is_russian_for_a_russian(russian: Client) -> None:
    left = {}
    for name, address in editor_pages().items():
        page = read_escapes(russian.get(address).content.decode())
        assert CYRILLIC.search(page), name
        assert "Триггеры" in page, "the menu"
        if found := left_in_english(page, "ru") - OF_WAGTAIL:
            left[name] = found
    assert left == {}


def test_previews_are_russian_for_a_russian(russian: Client) -> None:
    from tests.editor.conftest import make_flow, make_template
    from tests.editor.forms import flow_form, template_form
    from tests.editor.test_letters import preview

    letter = make_template(publish=False)
    flow = make_flow()
    story = preview(russian, flow, flow_form(flow), "outline").content.decode()
    assert "Брошена корзина" in story
    assert left_in_english(story, "ru") == set()
    broken = template_form(letter, body="<mjml><mj-body></mj-body>")
    problems = preview(russian, letter, broken, "light").content.decode()
    assert "Это письмо пока нельзя отправить" in problems
    assert left_in_english(problems, "ru") == set()


@pytest.mark.django_db
def test_djangos_admin_names_every_column_in_russian(admin_client: Client) -> None:
    contact = Contact.objects.create(identity_key="one", created_at=NOW)
    flow = make_live_flow("left-basket")
    plan_message(enroll(flow, contact.pk, "basket:7:1"), "anna@example.com")
    left = {}
    for model in apps.get_app_config("oscar_triggers").get_models():
        named = [field.verbose_name for field in model._meta.local_fields if field.name != "id"]
        assert all(isinstance(name, Promise) for name in named), f"{model.__name__}: columns.py"
        if not admin.site.is_registered(model):
            continue
        name = f"admin:oscar_triggers_{model._meta.model_name}"
        addresses = [reverse(f"{name}_changelist")]
        if row := model._default_manager.first():
            addresses.append(reverse(f"{name}_change", args=[row.pk]))
        for address in addresses:
            answer = admin_client.get(address, headers={"accept-language": "ru"})
            page = answer.content.decode()
            assert CYRILLIC.search(page), address
            # What stands in the rows is not ours to translate.
            if found := left_in_english(page, "ru") - {"basket", "Letter"}:
                left[address] = found
    assert left == {}


def test_what_keeps_a_flow_from_being_published_is_said_in_russian(russian: Client) -> None:
    from oscar_triggers.definitions import FlowDefinition, StepDefinition
    from oscar_triggers.engine import flows

    definition = FlowDefinition(
        key="", name="", trigger="", steps=(StepDefinition(key="a", kind="wait"),)
    )
    with translation.override("ru"):
        said = [problem.message for problem in flows.check(definition)]
    assert len(said) >= 2
    assert [message for message in said if not CYRILLIC.search(message)] == []


@pytest.mark.django_db
def test_the_story_of_a_letter_is_told_in_russian() -> None:
    from oscar_triggers.engine.decisions import Note, note_many
    from oscar_triggers.insight.explain import explain

    contact = Contact.objects.create(identity_key="one", created_at=NOW)
    flow = make_live_flow("left-basket")
    enrollment = enroll(flow, contact.pk, "basket:7:1")
    message = plan_message(enrollment, "anna@example.com")
    Conversion.objects.create(
        message=message, kind="order_placed", about_type="order", about_id="8", occurred_at=NOW
    )
    notes = [
        Note(rule="entry", verdict="entered", enrollment_id=enrollment.pk, flow_id=flow.pk),
        Note(
            rule="1",
            verdict="no",
            enrollment_id=enrollment.pk,
            flow_id=flow.pk,
            compared={"orders": 2, "at_least": 3, "still_true": True},
        ),
        Note(
            rule="holdout",
            verdict="exit",
            reason="goal",
            enrollment_id=enrollment.pk,
            flow_id=flow.pk,
            compared={"event": "order_placed", "about": "order:8", "at": NOW.isoformat()},
        ),
    ]
    note_many(notes, NOW)
    message.state, message.settled_at = MessageState.SENT, NOW
    message.save()
    with translation.override("ru"):
        said = [line.text for line in explain(contact, flow, now=NOW).lines]
    assert len(said) >= 6
    assert "На шаге «1» выбран путь «нет» (заказы: 2; не меньше: 3; проверено: да)." in said
    assert "(заказ 8)" in "".join(said)
    assert [text for text in said if LATIN.search(text)] == []


@pytest.mark.parametrize("language", ["ru", "de"])
def test_every_reason_is_said_in_the_readers_language(language: str) -> None:
    with translation.override("en"):
        english = {reason: telling.why(reason, {}) for reason in telling.REASONS}
    with translation.override(language):
        same = [reason for reason, said in english.items() if telling.why(reason, {}) == said]
    assert len(english) > 40
    assert same == []


def test_russian_counts_as_russians_do() -> None:
    if not settings.WITH_WAGTAIL:
        pytest.skip("the shop runs without Wagtail")
    from wagtail_triggers.outline import duration_in_words

    with translation.override("ru"):
        said = [duration_in_words(f"{count}d") for count in (1, 2, 5, 11, 21, 22)]
    assert said == ["1 день", "2 дня", "5 дней", "11 дней", "21 день", "22 дня"]
