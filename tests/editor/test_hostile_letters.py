"""A hundred attempts to reach more than merge tags: nothing is rendered, nothing is published."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.response import TemplateResponse
from django.test import RequestFactory

from oscar_triggers.exceptions import ProblemsError
from oscar_triggers.models import Template, TemplateVersion
from tests.editor.conftest import LETTER, make_template

pytestmark = pytest.mark.django_db

#: Objects, methods and internals behind a dot.
_REACHING = [
    "contact.password", "contact.user.password", "contact.pk", "contact.delete", "contact.save",
    "contact.objects.all", "contact._meta.model", "contact._state.db", "contact.__class__",
    "contact.__class__.__mro__", "contact.__dict__", "contact.__init__.__globals__",
    "contact.fields.__class__", "basket.flush", "basket.freeze", "basket.owner.password",
    "basket.lines.all", "basket.delete", "order.user.password", "request.user", "request.META",
    "request.session", "settings.SECRET_KEY", "self", "self.__init__", "loop.index",
    "forloop.parentloop", "cycler", "namespace", "lipsum", "joiner", "config.items", "g.pop",
    "url_for.__globals__", "get_flashed_messages", "range", "dict", "block.super", "csrf_token",
    "perms.auth", "user.password", "debug", "sql_queries", "messages", "view", "''.__class__",
    "().__class__.__bases__", "[].append", "{}.keys",
]  # fmt: skip
#: What other languages of templates can do inside a tag.
_COMPUTING = [
    "7*7", "7 * 7", "'a'*50000000", "1/0", "[x for x in range(9)]", "lambda: 1", "1 if 1 else 0",
    "contact.first_name.upper()", "contact['first_name']", "contact.first_name[0]",
    "contact.first_name|upper|lower()", "contact.first_name|attr('x')", "contact.first_name|safe",
    "contact.first_name|escape", "contact.first_name|ljust:'50000000'", "contact.first_name|default",
    "contact.first_name|default:x", "contact.first_name|default:'a'|default:7*7",
    "contact.first_name|add:contact.last_name", "contact.first_name|truncatewords_html:1",
    "contact.first_name|map('x')", "contact.first_name|format('%s')", "contact.first_name|pprint",
    "contact.first_name | dictsort:'x'", "contact.first_name~contact.last_name", "contact..first_name",
    ".first_name", "contact.", "contact first_name", "contact.first_name;", "import os", "",
]  # fmt: skip
#: Tags that load, include, run or loop.
_TAGS = [
    "{% load static %}", "{% include '/etc/passwd' %}", "{% include 'admin/base.html' %}",
    "{% extends 'base.html' %}", "{% import 'x' as y %}", "{% from 'x' import y %}",
    "{% set x = 7 %}", "{% with x=contact %}{% endwith %}", "{% debug %}", "{% url 'admin:index' %}",
    "{% csrf_token %}", "{% now 'Y' %}", "{% ssi '/etc/passwd' %}", "{% macro x() %}{% endmacro %}",
    "{% call x() %}{% endcall %}", "{% do contact.delete() %}", "{% raw %}{{ x }}{% endraw %}",
    "{% verbatim %}{{ x }}{% endverbatim %}", "{% filter upper %}x{% endfilter %}",
    "{% autoescape off %}x{% endautoescape %}", "{% for x in range(99999999) %}x{% endfor %}",
    "{% for x in contact %}x{% endfor %}", "{% while 1 %}{% endwhile %}", "{% if 7*7 %}x{% endif %}",
    "{% if contact.delete() %}x{% endif %}", "{% endfor %}", "{% if contact.first_name %}",
]  # fmt: skip
HOSTILE = [*(f"{{{{ {one} }}}}" for one in (*_REACHING, *_COMPUTING)), *_TAGS]


def test_there_are_a_hundred_different_ones() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 100


@pytest.mark.timeout(900)
def test_nothing_hostile_is_rendered_or_published(publisher: Any) -> None:
    request = RequestFactory().get("/")
    request.user = publisher
    draft = make_template("hostile", publish=False)
    wrong = []
    for number, attempt in enumerate(HOSTILE):
        draft.subject, draft.body = "Hello", LETTER
        if number % 4:
            draft.body = LETTER.replace("Hello", attempt)
        else:
            draft.subject = attempt
        shown = draft.serve_preview(request, "")
        if isinstance(shown, TemplateResponse):
            shown.render()
        if "cannot be sent yet" not in shown.content.decode():
            wrong.append(f"{attempt} is previewed")
        revision = draft.save_revision()
        try:
            draft.publish(revision)
        except ProblemsError as error:
            if not all(problem.message for problem in error.problems):
                wrong.append(f"{attempt} is refused without a word")
        else:
            wrong.append(f"{attempt} is published")
    assert not wrong, "\n".join(wrong)
    assert not Template.objects.exists()
    assert not TemplateVersion.objects.exists()
