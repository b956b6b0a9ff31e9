"""The story of seven baskets: what people do, and what must come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from oscar.core.loading import get_model

from oscar_triggers.models import VoucherGrant

from .breaks import CONSENT, ORDER, SMTP
from .evidence import Arrived
from .stage import Actor, Should, Stage
from .visitors import DidNotWork
from .world import World

LETTERS = ("abandoned-basket-1", "abandoned-basket-2", "abandoned-basket-3")
_ENGLISH = (
    "You left something in your basket",
    "Can we help with your order?",
    "10% off the basket you left",
)
_GERMAN = (
    "In Ihrem Warenkorb liegt noch etwas",
    "Können wir bei Ihrer Bestellung helfen?",
    "10 % Rabatt auf Ihren Warenkorb",
)
_RUSSIAN = ("В вашей корзине остались товары",)
_AGREED = "ledger grant"
_ENTERED = "entry entered"
_SENT = "send sent"
_NO_CONSENT = "consent skipped no_consent"
_WELCOMED = "Thank you for registering."

_CAST = (
    ("Greta", "a guest who reads German and agrees to letters; never comes back", "de"),
    ("Anna", "opens an account, agrees to letters, leaves a basket", "en"),
    ("Noah", "a guest who does not tick the box", "en"),
    ("Olga", "a guest who reads Russian and orders between letters 1 and 2", "ru"),
    ("Uma", "a guest who unsubscribes by her mailbox's button", "en"),
    ("Clara", "a guest who clicks back on another device", "en"),
    ("Emil", "a guest who empties his basket", "en"),
)


@dataclass(frozen=True, kw_only=True)
class Goods:
    """One product of the shop, as its pages name it."""

    title: str
    url: str


def play(stage: Stage, world: World, broken: str) -> None:
    """Play all of it; what did not come true stands in `stage.failures`."""
    for name, who, language in _CAST:
        stage.invite(name, who, language=language)
    shelf = _on_the_shelves(len(_CAST))
    goods = dict(zip(stage.actors, shelf, strict=True))
    _baskets_are_left(stage, world, goods, broken)
    _an_hour_passes(stage, world, goods, broken)
    _some_come_back(stage, world, goods, broken)
    _three_days_pass(stage, world)
    _check_vouchers(stage, ("Greta", "Anna"))


def _baskets_are_left(stage: Stage, world: World, goods: dict[str, Goods], broken: str) -> None:
    stage.say("Seven people walk through the shop and leave their baskets.")
    for name, one in goods.items():
        agree = name != "Noah" and not (name == "Greta" and broken == CONSENT)
        box = "ticks the box" if agree else "does not tick the box"
        if name == "Anna":
            what = f"opens an account, {box}; basket: {one.title}"
            stage.act(name, what, partial(_shop_as_member, goods=one))
        else:
            what = f"basket: {one.title}; gives an address at the checkout, {box}, leaves"
            stage.act(name, what, partial(_shop_as_guest, goods=one, agree=agree))
    world.come_to_rest(sweeps=False)
    agreed = Should(decided=[_AGREED])
    stage.look(
        "at first",
        {
            **dict.fromkeys(("Greta", "Olga", "Uma", "Clara", "Emil"), agreed),
            "Anna": Should(decided=[_AGREED], arrived=[_WELCOMED]),
        },
    )


def _an_hour_passes(stage: Stage, world: World, goods: dict[str, Goods], broken: str) -> None:
    if broken == SMTP:
        stage.say("BREAK=smtp: from now on the mail server refuses every letter.")
        world.break_mail()
    stage.say("An hour passes.")
    world.let_time_pass("61m")
    first = Should(decided=[_ENTERED, _SENT], sent=[LETTERS[0]], arrived=[_ENGLISH[0]])
    stage.look(
        "after an hour",
        {
            **dict.fromkeys(("Anna", "Uma", "Clara", "Emil"), first),
            "Greta": _in_words(first, _GERMAN[0]),
            "Olga": _in_words(first, _RUSSIAN[0]),
            "Noah": Should(decided=[_ENTERED, _NO_CONSENT]),
        },
    )
    _check_letters(stage, goods)


def _some_come_back(stage: Stage, world: World, goods: dict[str, Goods], broken: str) -> None:
    stage.say("One orders, one unsubscribes, one clicks back elsewhere, one empties the basket.")
    if broken == ORDER:
        stage.say("BREAK=order: Olga's order is never placed.")
    else:
        stage.act("Olga", "orders", _order)
    stage.act("Uma", "her mailbox posts one-click to the List-Unsubscribe address", _unsubscribe)
    what = "follows the letter's link on another device and finds her basket there"
    stage.act("Clara", what, partial(_click_back, goods=goods["Clara"]))
    # No time passes: what they did must be known within a tick.
    world.come_to_rest(sweeps=False)
    stage.look(
        "within the tick",
        {
            "Olga": _ordered(stage, "Olga", "Подтверждение заказа №{}"),
            "Uma": Should(decided=["ledger withdraw", "consent exit unsubscribed"]),
            # Nothing yet: a scanner of mail opens links, too. What she does next will tell.
            "Clara": Should(),
        },
        all_rows=False,
    )
    stage.act("Clara", "orders on that device", _order_as_newcomer)
    stage.act("Emil", "empties his basket", lambda emil: emil.visitor.empty_the_basket())
    # A removed line sends no signal: the next sweep finds it.
    world.let_time_pass("1m")
    stage.look(
        "a minute later",
        {
            "Clara": _ordered(stage, "Clara", "Confirmation of order {}"),
            "Emil": Should(decided=["basket exit condition"]),
        },
        all_rows=False,
    )


def _three_days_pass(stage: Stage, world: World) -> None:
    moments = (("a day later", "23h", 1), ("three days later", "2d5m", 2))
    for moment, duration, number in moments:
        stage.say("A day passes." if number == 1 else "Two more days pass.")
        world.let_time_pass(duration)
        letter = Should(decided=[_SENT], sent=[LETTERS[number]], arrived=[_ENGLISH[number]])
        stage.look(
            moment,
            {
                "Greta": _in_words(letter, _GERMAN[number]),
                "Anna": letter,
                "Noah": Should(decided=[_NO_CONSENT]),
            },
        )


def _ordered(stage: Stage, name: str, subject: str) -> Should:
    """Return what follows from an order: the way ends, and the shop's own mail confirms it."""
    email = stage.actors[name].visitor.email
    order = get_model("order", "Order").objects.filter(guest_email=email).first()
    number = order.number if order is not None else "…"
    return Should(decided=["order_placed exit goal"], arrived=[subject.format(number)])


def _in_words(should: Should, subject: str) -> Should:
    return Should(decided=should.decided, sent=should.sent, arrived=[subject])


def _on_the_shelves(count: int) -> list[Goods]:
    """Return different products that anybody can buy now."""
    products = (
        get_model("catalogue", "Product")
        .objects.filter(structure="standalone", stockrecords__num_in_stock__gte=5)
        .order_by("pk")[:count]
    )
    return [Goods(title=one.title, url=one.get_absolute_url()) for one in products]


def _shop_as_guest(actor: Actor, *, goods: Goods, agree: bool) -> None:
    actor.visitor.add(goods.url)
    actor.visitor.start_checkout(agree=agree)


def _shop_as_member(actor: Actor, *, goods: Goods) -> None:
    actor.visitor.register(agree=True)
    actor.visitor.add(goods.url)


def _order(actor: Actor) -> None:
    actor.visitor.order()


def _order_as_newcomer(actor: Actor) -> None:
    actor.visitor.start_checkout(agree=False)
    actor.visitor.order()


def _unsubscribe(uma: Actor) -> None:
    letter = _first_letter(uma)
    if not letter.one_click_address:
        raise DidNotWork("the letter's headers allow no one-click unsubscription")
    uma.visitor.one_click_unsubscribe(letter.one_click_address)


def _click_back(clara: Actor, *, goods: Goods) -> None:
    letter = _first_letter(clara)
    clara.visitor = clara.visitor.on_another_device()
    page = clara.visitor.open(letter.link_back)
    if not page.url.endswith("/basket/") or goods.title not in page.text:
        raise DidNotWork("the other device does not show her basket")
    if "/accounts/logout/" in page.text or clara.visitor.email in page.text:
        raise DidNotWork("the link signed somebody in, or told who it was sent to")


def _first_letter(actor: Actor) -> Arrived:
    if not actor.letters:
        raise DidNotWork("no letter arrived that it could be done with")
    return actor.letters[0]


def _check_letters(stage: Stage, goods: dict[str, Goods]) -> None:
    """Check what a good letter has, in every letter that arrived so far."""
    for name, actor in stage.actors.items():
        for letter in actor.letters:
            title = goods[name].title
            stage.check(name, "the letter names the product", true=title in letter.html)
            stage.check(name, "its plain text does, too", true=title in letter.text)
            stage.check(name, "it has a link back", true=bool(letter.link_back))
            one_click = bool(letter.one_click_address)
            stage.check(name, "it can be unsubscribed from by one click", true=one_click)
            stage.check(name, "it is smaller than 100 kB", true=letter.size < 100_000)


def _check_vouchers(stage: Stage, names: Sequence[str]) -> None:
    """Check that each third letter holds a voucher that the shop would take."""
    codes = set()
    for name in names:
        actor = stage.actors[name]
        ids = [letter.public_id for letter in actor.letters]
        grant = VoucherGrant.objects.filter(message__public_id__in=ids).first()
        code = grant.code if grant is not None else ""
        voucher = get_model("voucher", "Voucher").objects.filter(code=code).first()
        if voucher is None:
            stage.check(name, "no voucher was granted with the third letter", true=False)
            continue
        codes.add(code)
        last = actor.letters[-1]
        stage.check(name, "the code is in the letter", true=code in last.html)
        stage.check(name, "the voucher is for one use", true=voucher.usage == "Single use")
        stage.check(name, "the voucher is valid now", true=bool(voucher.is_active()))
    stage.check("all", "everybody has a code of their own", true=len(codes) == len(names))
