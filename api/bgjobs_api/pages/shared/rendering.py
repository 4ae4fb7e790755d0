"""Templates to answers: everything escaped, nothing undefined, and the headers that every page has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from bgjobs_api.pages.shared import assets, sign_in, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

    from bgjobs_api.http.deps import Deps

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TITLE_END: Final = " · bgjobs"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bgjobs_api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # Their types know the built-in ones alone.
    cast("dict[str, Any]", made.globals).update(
        asset=assets.url, has_asset=assets.has, HTMX=assets.HTMX, SIGN_OUT=sign_in.SIGN_OUT, TITLE_END=_TITLE_END
    )
    cast("dict[str, Any]", made.filters).update(
        count=words.count, initials=words.initials, plural=words.plural, size=words.size
    )
    return made


ENVIRONMENT: Final = _environment()
_TEMPLATES: Final = frozenset(ENVIRONMENT.list_templates())


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for the live part alone."""
    return request.headers.get("HX-Request") == "true"


def page(
    request: Request,
    name: str,
    deps: Deps | None,
    user: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **shown: Any,
) -> Response:
    """A page, or the live part of it.

    Args:
        request: what is answered.
        name: of the template `{name}.html`; that of its live part is `{name}_live.html`.
        deps: for the notice; None if they are out of reach.
        user: who reads; "" if that is not known.
        status: of the answer.
        headers: more of them.
        shown: for the template.
    """
    url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    notice = deps.notice if deps is not None else ""
    values: dict[str, Any] = {"section": name, "url": url, "notice": notice, "user": user, **shown}
    values["sign_in_url"] = sign_in.start_url(request) if deps is not None and deps.sign_in else ""
    is_live = f"{name}_live.html" in _TEMPLATES
    text = (_fragment if is_live and is_fragment(request) and status < 400 else _whole)(name, values)  # noqa: PLR2004
    return Response(text, status, media_type="text/html; charset=utf-8", headers={**HEADERS, **(headers or {})})


def signed_out(request: Request, status: int, headers: Mapping[str, str]) -> Response:
    """The banner that takes the place of a live part when the sign-in has run out."""
    text = ENVIRONMENT.get_template("signed_out.html").render(sign_in_url=sign_in.start_url(request))
    return Response(text, status, media_type="text/html; charset=utf-8", headers={**HEADERS, **headers})


def _whole(name: str, values: dict[str, Any]) -> str:
    return ENVIRONMENT.get_template(f"{name}.html").render(values)


def _fragment(name: str, values: dict[str, Any]) -> str:
    """With the title: htmx takes it out and sets it."""
    whole = ENVIRONMENT.get_template(f"{name}.html")
    title = "".join(whole.blocks["title"](whole.new_context(values)))
    live = ENVIRONMENT.get_template(f"{name}_live.html").render(values)
    return f"{live}\n<title>{title}{_TITLE_END}</title>"


def redirect(to: str) -> Response:
    """The answer 303, by which a browser goes to another page with GET."""
    return Response(status_code=303, headers={**HEADERS, "Location": to})
