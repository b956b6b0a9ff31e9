"""What the shop sells: sixty products with pictures, variants, stock of two partners, an offer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model
from oscar.test import factories

from .pictures import picture

WAREHOUSE = "Whitby warehouse"
WORKSHOP = "Moorland workshop"

RED, BLUE, GREEN = "#c8553d", "#2a6f97", "#588157"
YELLOW, PLUM, NAVY = "#e09f3e", "#6d597a", "#3d5a80"
#: Sold out on every machine, so that a newcomer finds something to wait for.
SOLD_OUT = frozenset({"Bobble hat, heather", "Storm lantern, moss"})
_COLOURS = {"red": RED, "blue": BLUE, "green": GREEN, "yellow": YELLOW, "plum": PLUM, "navy": NAVY}


@dataclass(frozen=True, kw_only=True)
class Line:
    """Products of one kind: one title per name, each in a colour of its own."""

    kind: str
    category: str
    price: str
    #: Title and colour name.
    names: tuple[tuple[str, str], ...]
    about: str
    #: What a customer chooses, as ("Size", ("S", "M", "L")).
    choice: tuple[str, tuple[str, ...]] | None = None


LINES = (
    Line(
        kind="mug", category="Camp kitchen > Drinking", price="12.50",
        names=(("Enamel mug, fireside red", "red"), ("Enamel mug, deep lake", "blue"),
               ("Enamel mug, moss", "green")),
        about="Steel under glass. Chips look good on it.",
    ),
    Line(
        kind="bottle", category="Camp kitchen > Drinking", price="24.00",
        names=(("Steel bottle, navy", "navy"), ("Steel bottle, sunrise", "yellow"),
               ("Steel bottle, heather", "plum")),
        about="Keeps tea hot until the summit, and water cold until the lake.",
        choice=("Volume", ("0.5 l", "0.75 l", "1 l")),
    ),
    Line(
        kind="kettle", category="Camp kitchen > Cooking", price="39.00",
        names=(("Camp kettle, lake blue", "blue"), ("Camp kettle, ember", "red")),
        about="Whistles. Boils a litre in four minutes.",
    ),
    Line(
        kind="stove", category="Camp kitchen > Cooking", price="54.90",
        names=(("Pocket stove", "green"), ("Winter stove", "navy")),
        about="Burns in wind, folds into its own pot.",
    ),
    Line(
        kind="pan", category="Camp kitchen > Cooking", price="31.00",
        names=(("Skillet, 20 cm", "navy"), ("Skillet, 26 cm", "green")),
        about="Cast iron with a handle of ash wood.",
    ),
    Line(
        kind="cutlery", category="Camp kitchen > Cooking", price="9.90",
        names=(("Spoon and fork, moss", "green"), ("Spoon and fork, ember", "red")),
        about="Long enough for the bottom of the jar.",
    ),
    Line(
        kind="tent", category="Shelter > Tents", price="189.00",
        names=(("Ridge tent for two", "green"), ("Ridge tent for four", "yellow"),
               ("Mountain tent", "red")),
        about="Up in three minutes, dry for three weeks.",
    ),
    Line(
        kind="hammock", category="Shelter > Sleeping", price="49.00",
        names=(("Forest hammock", "plum"), ("Harbour hammock", "blue")),
        about="Carries 150 kg and weighs 400 g. Straps included.",
    ),
    Line(
        kind="sleeping_bag", category="Shelter > Sleeping", price="119.00",
        names=(("Three-season bag", "red"), ("Winter bag", "navy"), ("Summer bag", "yellow")),
        about="Down from a farm that we have visited.",
        choice=("Length", ("Regular", "Long")),
    ),
    Line(
        kind="mat", category="Shelter > Sleeping", price="34.50",
        names=(("Sleeping mat, blue", "blue"), ("Sleeping mat, plum", "plum")),
        about="Eight millimetres between you and the stones.",
    ),
    Line(
        kind="boot", category="Clothing > Footwear", price="149.00",
        names=(("Fell boots, tan", "yellow"), ("Fell boots, slate", "navy"),
               ("Fell boots, moss", "green")),
        about="Can be resoled, twice at least.",
        choice=("Size", ("38", "40", "42", "44")),
    ),
    Line(
        kind="socks", category="Clothing > Footwear", price="16.00",
        names=(("Wool socks, mustard", "yellow"), ("Wool socks, heather", "plum"),
               ("Wool socks, ember", "red")),
        about="Two pairs. One is always drying.",
        choice=("Size", ("36-39", "40-43", "44-47")),
    ),
    Line(
        kind="jacket", category="Clothing > Layers", price="219.00",
        names=(("Storm jacket, ember", "red"), ("Storm jacket, lake", "blue")),
        about="Three layers, taped seams, a pocket for the map.",
        choice=("Size", ("S", "M", "L", "XL")),
    ),
    Line(
        kind="beanie", category="Clothing > Layers", price="22.00",
        names=(("Bobble hat, lake", "blue"), ("Bobble hat, moss", "green"),
               ("Bobble hat, heather", "plum")),
        about="Knitted in Whitby by people who go out in it.",
    ),
    Line(
        kind="gloves", category="Clothing > Layers", price="27.50",
        names=(("Mittens, moss", "green"), ("Mittens, navy", "navy")),
        about="Felted wool, warm even when wet.",
        choice=("Size", ("S", "M", "L")),
    ),
    Line(
        kind="backpack", category="On the way > Carrying", price="98.00",
        names=(("Day pack, 22 l", "plum"), ("Hut pack, 35 l", "green"),
               ("Long-way pack, 55 l", "blue")),
        about="Waxed canvas. Gets better for twenty years.",
    ),
    Line(
        kind="compass", category="On the way > Finding it", price="36.00",
        names=(("Brass compass", "yellow"), ("Plate compass", "red")),
        about="Settles in two seconds.",
    ),
    Line(
        kind="map", category="On the way > Finding it", price="11.90",
        names=(("Map of the moors", "green"), ("Map of the coast", "blue"),
               ("Map of the high fells", "red")),
        about="1 : 25,000 on paper that survives rain.",
    ),
    Line(
        kind="head_lamp", category="On the way > Light", price="44.00",
        names=(("Head lamp, 300 lm", "red"), ("Head lamp, 600 lm", "navy")),
        about="Red light for the map, white light for the path.",
    ),
    Line(
        kind="lantern", category="On the way > Light", price="58.00",
        names=(("Storm lantern, navy", "navy"), ("Storm lantern, moss", "green")),
        about="Burns twenty hours on one filling.",
    ),
    Line(
        kind="knife", category="Camp tools > Cutting", price="29.00",
        names=(("Folding knife, oak", "yellow"), ("Folding knife, plum", "plum")),
        about="Carbon steel. Oil it now and then.",
    ),
    Line(
        kind="axe", category="Camp tools > Cutting", price="84.00",
        names=(("Hatchet", "navy"), ("Splitting axe", "red")),
        about="Forged by hand, with the smith's initials.",
    ),
    Line(
        kind="rope", category="Camp tools > Bits", price="19.50",
        names=(("Cord, 20 m, lake", "blue"), ("Cord, 20 m, ember", "red")),
        about="Six millimetres, holds what you hang on it.",
    ),
    Line(
        kind="whistle", category="Camp tools > Bits", price="4.50",
        names=(("Whistle, lake", "blue"), ("Whistle, ember", "red")),
        about="Heard a mile away.",
    ),
    Line(
        kind="towel", category="Camp tools > Bits", price="18.00",
        names=(("Travel towel, navy", "navy"), ("Travel towel, sunrise", "yellow")),
        about="Dries you, then itself.",
    ),
    Line(
        kind="chair", category="Camp tools > Bits", price="64.00",
        names=(("Folding chair, ember", "red"), ("Folding chair, moss", "green")),
        about="Beech and canvas, folds flat.",
    ),
)  # fmt: skip


def stock_the_shelves(random: Random, now: datetime) -> int:
    """Make categories, partners, products with pictures, stock and an offer; return how many."""
    partners = [factories.PartnerFactory(name=name) for name in (WAREHOUSE, WORKSHOP)]
    gear = factories.ProductClassFactory(name="Gear")
    count = 0
    for line in LINES:
        category = create_from_breadcrumbs(line.category)
        for title, colour in line.names:
            product = _make_product(line, title, gear, category, partners, random)
            image = picture(line.kind, _COLOURS[colour])
            factories.ProductImageFactory(
                product=product,
                original=ContentFile(image, name=f"{line.kind}-{colour}.jpg"),
                caption=title,
            )
            count += 1
    _make_offer(now)
    return count


def _make_product(
    line: Line, title: str, gear: Any, category: Any, partners: list[Any], random: Random
) -> Any:
    model = get_model("catalogue", "Product")
    price = Decimal(line.price) + Decimal(random.choice((0, 0, 2, 5)))
    product = factories.ProductFactory(
        structure=model.PARENT if line.choice else model.STANDALONE,
        upc=None,
        title=title,
        description=f"<p>{line.about}</p>",
        product_class=gear,
        stockrecords=None,
        categories=None,
    )
    product.categories.add(category)
    if line.choice is None:
        _put_in_stock(product, price, partners, random)
        return product
    for value in line.choice[1]:
        variant = factories.ProductFactory(
            structure=model.CHILD,
            parent=product,
            upc=None,
            title=f"{title}, {value}",
            product_class=None,
            stockrecords=None,
            categories=None,
        )
        _put_in_stock(variant, price, partners, random)
    return product


def _put_in_stock(product: Any, price: Decimal, partners: list[Any], random: Random) -> None:
    # A tenth is sold out, so that letters have something to leave out.
    stock = 0 if random.random() < 0.1 else random.randint(5, 60)
    if product.title in SOLD_OUT:
        stock = 0
    factories.StockRecordFactory(
        product=product,
        partner=partners[0] if random.random() < 0.7 else partners[1],
        partner_sku=f"KP-{product.pk:05d}",
        price=price,
        price_currency=settings.OSCAR_DEFAULT_CURRENCY,
        num_in_stock=stock,
    )


def _make_offer(now: datetime) -> None:
    """Ten percent off everything for the kitchen."""
    kitchen = get_model("catalogue", "Category").objects.get(name="Camp kitchen")
    everything = factories.RangeFactory(name="For the camp kitchen")
    everything.included_categories.add(kitchen)
    factories.ConditionalOfferFactory(
        name="Kitchen weeks: 10 % off",
        description="Ten percent off everything for the camp kitchen.",
        start_datetime=now - timedelta(days=30),
        end_datetime=now + timedelta(days=60),
        condition=factories.ConditionFactory(range=everything, type="Count", value=1),
        benefit=factories.BenefitFactory(range=everything, type="Percentage", value=10),
    )
