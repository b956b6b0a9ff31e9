"""Who may come in: admin URLs of an app are open to every admin user unless they ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from ..permissions import EXPORT

View = Callable[..., HttpResponse]


def requires(*wanted: str, any_of: tuple[str, ...] = ()) -> Callable[[View], View]:
    """Let in who has every wanted permission, and one of `any_of` where there are some."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            user = request.user
            if not all(user.has_perm(name) for name in wanted):
                raise PermissionDenied
            if any_of and not any(user.has_perm(name) for name in any_of):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return checked

    return decorate


#: What a spreadsheet takes for the beginning of a formula (OWASP, "CSV injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportsForSome:
    """A list whose rows only those take away as a file who may; mixed into Wagtail's views.

    No text in the file is a formula: a customer may call themselves as they like.
    """

    request: Any
    is_export: bool

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refuse the file to the others; they read the page."""
        if request.GET.get("export") and not request.user.has_perm(EXPORT):
            raise PermissionDenied
        answer: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]  # the view that it is mixed into has it
        return answer

    @property
    def show_export_buttons(self) -> bool:
        """Offer what would not be refused."""
        return bool(super().show_export_buttons) and bool(self.request.user.has_perm(EXPORT))  # type: ignore[misc]  # as above

    def preprocess_field_value(self, field: str, value: Any, export_format: str) -> Any:
        """Write a quotation mark before what a spreadsheet would take for a formula."""
        written = super().preprocess_field_value(field, value, export_format)  # type: ignore[misc]  # as above
        is_formula = isinstance(written, str) and written.startswith(_FORMULA)
        return f"'{written}" if is_formula else written
