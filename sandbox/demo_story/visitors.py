"""People who walk through the shop over HTTP: own cookies, forms as the pages offer them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests

from .forms import Form, forms_of

_PATIENCE_SECONDS = 20
#: A shop that sends to one country does not ask for it.
_ADDRESS = {"line1": "1 King Road", "line4": "London", "postcode": "SW1 9RE"}


class DidNotWork(Exception):
    """A page did not do what a visitor came for; the message says which and how."""


@dataclass(kw_only=True)
class Visitor:
    """One browser of one person."""

    base_url: str
    first_name: str
    email: str
    language: str = "en"
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.headers["Accept-Language"] = self.language

    def on_another_device(self) -> Visitor:
        """Return the same person with a browser that the shop has never seen."""
        return Visitor(
            base_url=self.base_url,
            first_name=self.first_name,
            email=self.email,
            language=self.language,
        )

    def open(self, url: str) -> requests.Response:
        """Open a page of the shop; raises DidNotWork when it is not shown."""
        address = urljoin(self.base_url, url)
        return _good(self._session.get(address, timeout=_PATIENCE_SECONDS))

    def register(self, *, agree: bool) -> None:
        """Open an account on the shop's page, ticking the box of letters or not."""
        page = self.open("/accounts/register/")
        fields = {
            "email": self.email,
            "password1": "tea-and-biscuits-4711",
            "password2": "tea-and-biscuits-4711",
        }
        self._send(page, "password1", fields, agree=agree)

    def add(self, product_url: str) -> None:
        """Put a product into the basket from its own page."""
        page = self.open(product_url)
        self._send(page, lambda form: "/basket/add/" in form.action, {"quantity": "1"})

    def start_checkout(self, *, agree: bool) -> None:
        """Begin the checkout as a guest, ticking the box of letters or not."""
        page = self.open("/checkout/")
        fields = {"username": self.email, "options": "anonymous"}
        after = self._send(page, "options", fields, agree=agree)
        if "/checkout/shipping-address/" not in after.url:
            raise DidNotWork(f"the checkout did not go on: it ended at {urlsplit(after.url).path}")

    def order(self) -> None:
        """Walk through the rest of the checkout; raises DidNotWork when no order comes of it."""
        page = self.open("/checkout/shipping-address/")
        address = {**_ADDRESS, "first_name": self.first_name, "last_name": "Bell"}
        self._send(page, "postcode", address)
        self.open("/checkout/shipping-method/")
        self.open("/checkout/payment-details/")
        page = self.open("/checkout/preview/")
        after = self._send(page, lambda form: form.values.get("action") == "place_order", {})
        if "/checkout/thank-you/" not in after.url:
            raise DidNotWork(f"no order: the checkout ended at {urlsplit(after.url).path}")

    def empty_the_basket(self) -> None:
        """Remove every line on the basket's page."""
        page = self.open("/basket/")
        form = _form(page, "form-TOTAL_FORMS")
        removed = [name for name in form.boxes if name.endswith("-DELETE")]
        self._post(page, form, form.filled(tick=removed))

    def one_click_unsubscribe(self, address: str) -> None:
        """Post as a mailbox does (RFC 8058): no cookie, no page before it."""
        answer = requests.post(
            address,
            data={"List-Unsubscribe": "One-Click"},
            timeout=_PATIENCE_SECONDS,
            allow_redirects=False,
        )
        if answer.status_code != requests.codes.ok:
            raise DidNotWork(f"the one-click POST was answered with {answer.status_code}")

    def _send(
        self,
        page: requests.Response,
        which: str | Callable[[Form], bool],
        fields: dict[str, str],
        *,
        agree: bool = False,
    ) -> requests.Response:
        form = _form(page, which)
        ticked = ["triggers_opt_in"] if agree else []
        try:
            return self._post(page, form, form.filled(fields, tick=ticked))
        except LookupError as error:
            raise DidNotWork(f"{urlsplit(page.url).path}: {error}") from error

    def _post(
        self, page: requests.Response, form: Form, values: dict[str, str]
    ) -> requests.Response:
        return _good(
            self._session.post(
                urljoin(page.url, form.action),
                data=values,
                headers={"Referer": page.url},
                timeout=_PATIENCE_SECONDS,
            )
        )


def _form(page: requests.Response, which: str | Callable[[Form], bool]) -> Form:
    """Return the form that has a field, or of which something is true."""
    for form in forms_of(page.text):
        if which in form.values if isinstance(which, str) else which(form):
            return form
    raise DidNotWork(f"{urlsplit(page.url).path} lacks the form that was to be filled in")


def _good(answer: requests.Response) -> requests.Response:
    if not answer.ok:
        raise DidNotWork(f"{urlsplit(answer.url).path} answered with {answer.status_code}")
    return answer
