"""One letter to the bytes of the wire, beside the recipe of mjml-python's README.

The recipe: Django template, mjml2html, EmailMultiAlternatives.message().as_bytes(), each time.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.stage import Watch, per_unit, ratio, table

LETTERS = int(os.environ.get("BENCHMARK_LETTERS", "200"))
ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "7"))

LINE = {
    "title": "Enamel mug",
    "variant": "blue",
    "quantity": 2,
    "url": "https://shop.example/catalogue/enamel-mug_1/",
    "image_url": "https://shop.example/media/mug.jpg",
}


def _values(money: Any) -> dict[str, Any]:
    price = money(Decimal("12.50"))
    line = {**LINE, "unit_price": price, "line_price": price}
    return {
        "contact": {"first_name": "Anna", "last_name": "Bell"},
        "shop": {
            "name": "Kettle & Pine",
            "url": "https://shop.example",
            "postal_address": "Whitby",
        },
        "links": {
            "unsubscribe": "https://shop.example/t/u/abcdefghijklmnopqrstuv/",
            "basket": "https://shop.example/t/b/abcdefghijklmnopqrstuvabcdefghijklmnop/",
        },
        "basket": {"lines": [line] * 5, "count": 5, "total": price},
    }


def run() -> None:
    """Print what a letter costs both ways."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from django.core.mail import EmailMultiAlternatives
    from django.template import Context, Engine, Library
    from mjml import mjml2html

    from oscar_triggers.content import rendering, wire
    from oscar_triggers.content.compiling import compile_letter
    from oscar_triggers.content.files import read_letter_file
    from oscar_triggers.content.values import Money

    path = Path("oscar_triggers/presets/letters/abandoned-basket-1.en.mjml")
    source = read_letter_file(path.read_text(), "en").source
    values = _values(lambda amount: Money(amount=amount, currency="EUR"))
    headers = {"List-Unsubscribe": "<https://shop.example/t/u/abcdefghijklmnopqrstuv/>"}
    compiled = compile_letter(source)

    library = Library()
    library.filter("truncate", lambda text, length: text[: int(length)])
    engine = Engine()
    engine.template_builtins.append(library)
    template = engine.from_string(source.body.strip())
    for_django = Context(_values(lambda amount: f"€{amount}"))
    text = rendering.fill(compiled, values, language="en", time_zone="").text

    def recipe() -> None:
        for _ in range(LETTERS):
            html = mjml2html(template.render(for_django))
            message = EmailMultiAlternatives(
                source.subject, text, "a@shop.example", ["b@example.com"], headers=headers
            )
            message.attach_alternative(html, "text/html")
            message.message().as_bytes()

    def ours() -> None:
        for _ in range(LETTERS):
            wire.wire_bytes(
                compiled, values, headers, from_="a@shop.example", to="b@example.com", language="en"
            )

    def theirs_compiled_once() -> None:
        for _ in range(LETTERS):
            letter = rendering.fill(compiled, values, language="en", time_zone="")
            message = EmailMultiAlternatives(
                letter.subject, letter.text, "a@shop.example", ["b@example.com"], headers=headers
            )
            message.attach_alternative(letter.html, "text/html")
            message.message().as_bytes()

    watches = {"ours": Watch(), "once": Watch(), "recipe": Watch()}
    for work in (recipe, ours, theirs_compiled_once):
        work()
    for _round in range(ROUNDS):
        watches["recipe"].time(recipe)
        watches["ours"].time(ours)
        watches["once"].time(theirs_compiled_once)
    rows = [
        ("ours: filled into ready bytes", watches["ours"]),
        ("our fill, Django's MIME (other backends)", watches["once"]),
        ("README recipe: Django template, mjml2html, Django's MIME", watches["recipe"]),
    ]
    print(f"### Rendering: {ROUNDS} rounds of {LETTERS} letters with 5 products\n")
    table(
        ["", "CPU µs a letter", "ours is × cheaper"],
        [
            (name, per_unit(watch.cpu, LETTERS), f"{ratio(watches['ours'].cpu, watch.cpu):.1f}")
            for name, watch in rows
        ],
    )


if __name__ == "__main__":
    run()
