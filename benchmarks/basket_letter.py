"""The benchmark's letter and its readers: five products, about 40 kB on the wire, some 20 links.

Drawn like what shops send (header, hero, a row a product, voucher, social, foot), so that the
figures stand beside those of other people's letters.
"""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

PRODUCTS = 5

_PARAGRAPH = (
    "We kept everything as you left it, and it costs today what it cost then. "
    "Kettles are filled by hand, cups are fired twice, and every parcel leaves the "
    "workshop within a day; what does not please comes back free of charge."
)

_ROW = """
{% for line in basket.lines %}
<mj-section background-color="#ffffff" padding="12px 24px">
  <mj-column width="30%">
    <mj-image href="{{ line.url }}" src="https://shop.example/media/{{ line.quantity }}.jpg" alt="{{ line.title }}" width="120px" border-radius="8px" />
  </mj-column>
  <mj-column width="45%">
    <mj-text font-size="17px" font-weight="600"><a href="{{ line.url }}">{{ line.title|truncate:"120" }}</a></mj-text>
    <mj-text color="#6b675f">{% if line.variant %}{{ line.variant }}, {% endif %}{{ line.quantity }} × {{ line.unit_price }}</mj-text>
  </mj-column>
  <mj-column width="25%">
    <mj-text align="right" font-weight="700">{{ line.line_price }}</mj-text>
    <mj-button href="{{ line.url }}" background-color="#14532d" color="#ffffff">Look again</mj-button>
  </mj-column>
</mj-section>
{% endfor %}
"""

BODY = f"""
<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" />
      <mj-text font-size="16px" line-height="25px" color="#2b2a27" />
    </mj-attributes>
    <mj-style>a {{ color: #14532d; }} @media (max-width: 479px) {{ h1 {{ font-size: 25px !important; }} }}</mj-style>
  </mj-head>
  <mj-body background-color="#f3f0ea" width="600px">
    <mj-section padding="24px">
      <mj-column width="50%"><mj-text font-size="20px" font-weight="700"><a href="{{{{ shop.url }}}}">{{{{ shop.name }}}}</a></mj-text></mj-column>
      <mj-column width="50%"><mj-text align="right"><a href="https://shop.example/new/">New</a> · <a href="https://shop.example/gifts/">Gifts</a></mj-text></mj-column>
    </mj-section>
    <mj-section background-color="#ffffff" padding="32px 24px">
      <mj-column>
        <mj-text><h1>Your basket is still here{{% if contact.first_name %}}, {{{{ contact.first_name }}}}{{% endif %}}</h1></mj-text>
        <mj-text>{_PARAGRAPH}</mj-text>
        <mj-button href="{{{{ links.basket }}}}" background-color="#14532d" color="#ffffff">Back to my basket</mj-button>
      </mj-column>
    </mj-section>
    {_ROW}
    <mj-section background-color="#ffffff" padding="12px 24px">
      <mj-column><mj-text align="right" font-size="18px" font-weight="700">Total {{{{ basket.total }}}}</mj-text></mj-column>
    </mj-section>
    <mj-section background-color="#e9f3ec" padding="24px">
      <mj-column><mj-text align="center">{_PARAGRAPH}</mj-text>
      <mj-button href="{{{{ links.basket }}}}">Order now</mj-button></mj-column>
    </mj-section>
    <mj-section padding="16px">
      <mj-column width="50%"><mj-text align="center"><a href="https://shop.example/photo/">Photographs</a></mj-text></mj-column>
      <mj-column width="50%"><mj-text align="center"><a href="https://shop.example/journal/">Journal</a></mj-text></mj-column>
    </mj-section>
    <mj-section padding="16px 24px 40px">
      <mj-column>
        <mj-text font-size="13px" align="center">{_PARAGRAPH}<br /><a href="{{{{ links.unsubscribe }}}}">Unsubscribe</a><br /><a href="{{{{ shop.url }}}}">{{{{ shop.name }}}}</a> · {{{{ shop.postal_address }}}}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


def plan(count: int) -> None:
    """Let customers leave baskets of five products each; the letter about each is due."""
    from django.core.management import call_command
    from django.utils import timezone
    from oscar.core.loading import get_model

    from oscar_triggers.content.letters import LetterSource
    from oscar_triggers.engine import clockwork, templates
    from oscar_triggers.models import Dispatch, DispatchState, Flow, Owner
    from tests.shopping import make_product
    from tests.storm import world

    now = timezone.now()
    call_command("triggers_publish", "preset:abandoned-basket", stdout=io.StringIO())
    source = LetterSource(subject="You left something in your basket", body=BODY, language="en")
    templates.publish("abandoned-basket-1", "Benchmark", source, owner=Owner.FILE, now=now)
    Flow.objects.update(active_since=now - timedelta(days=1))
    baskets = world.leave_baskets(count)
    stocks = [
        make_product(f"Copper kettle {n}", price=Decimal("12.50"), num_in_stock=9 * count)
        .stockrecords.get()
        for n in range(PRODUCTS - 1)
    ]  # fmt: skip
    lines: Any = get_model("basket", "Line").objects
    lines.bulk_create(
        lines.model(
            basket=basket,
            line_reference=f"{stock.product_id}_{stock.pk}",
            product_id=stock.product_id,
            stockrecord=stock,
            quantity=1 + position,
            price_currency="EUR",
            price_excl_tax=Decimal("12.50"),
            price_incl_tax=Decimal("12.50"),
            tax_code="",
        )
        for basket in baskets
        for position, stock in enumerate(stocks)
    )
    left_at = now - timedelta(hours=2)
    lines.update(date_created=left_at, date_updated=left_at)
    clockwork.tick(timezone.now() + timedelta(seconds=1), send=False)
    planned = Dispatch.objects.filter(state=DispatchState.PLANNED).count()
    assert planned == count, f"{planned} of {count} letters are due"
