"""A strict Content-Security-Policy for the admin's pages about triggers, as a careful shop has it."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from wagtail_triggers.halts import is_ours

_HEADER = "Content-Security-Policy"
_STRICT = {
    "default-src": "'self'",
    # No inline script, no eval: what is injected into a page does not run.
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
#: A previewed letter brings its styles and its pictures from wherever they are.
_LETTER = {**_STRICT, "style-src": "'self' 'unsafe-inline'", "img-src": "* data:"}
#: Wagtail's editor of rich text writes style elements while people write in it, new ones each time:
#: https://github.com/springload/draftail. No hash fits them, and what a style can do is little.
_WRITING = {**_STRICT, "style-src-elem": "'self' 'unsafe-inline'"}
#: The pages on which somebody writes a letter of blocks.
_WRITING_PAGES = ("wagtailsnippets_wagtail_triggers_templatedraft",)


class ContentSecurityPolicy:
    """Adds the policy to answers that have none of their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the policy."""
        response = self.get_response(request)
        if is_ours(request) and _HEADER not in response.headers:
            policy = _policy_for(request)
            response[_HEADER] = "; ".join(f"{name} {value}" for name, value in policy.items())
        return response


def _policy_for(request: HttpRequest) -> dict[str, str]:
    match = request.resolver_match
    if match is None:
        return _STRICT
    if "preview" in (match.url_name or ""):
        return _LETTER
    is_written = match.namespace in _WRITING_PAGES and match.url_name in {"add", "edit", "copy"}
    return _WRITING if is_written else _STRICT
