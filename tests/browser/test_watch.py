"""What watches the other tests sees what it is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.visit import Visits

INLINE = {
    "script": "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.x = 1'}))",
    "style": "document.body.setAttribute('style', 'color: red')",
    "image": "document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:1/x.png'}))",
}


@pytest.mark.parametrize("kind", INLINE)
def test_what_the_policy_forbids_is_seen(visits: Visits, kind: str) -> None:
    page = visits.open("/queues")
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate(INLINE[kind])
    assert any("Content Security Policy" in one for one in visits.complaints)
    assert page.evaluate("window.x") is None
    visits.complaints.clear()


def test_an_error_in_a_script_is_seen(visits: Visits) -> None:
    page = visits.open("/queues")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('on purpose') })")
    assert visits.complaints == ["error in a script: on purpose"]
    visits.complaints.clear()


def test_no_browser_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BGJOBS_CHROMIUM", raising=False)
    with pytest.raises(chromium.NoBrowserError, match="apt-get install chromium"):
        chromium.find()
    monkeypatch.setenv("BGJOBS_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(chromium.NoBrowserError, match="/nowhere/chromium"):
        chromium.find()
