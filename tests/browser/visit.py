"""Pages of `bgjobs dev` in a browser, watched, and jobs on strings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page

    from bgjobs import JobHandle
    from tests.local.dev_server import Dev


@dataclass
class Visits:
    """Opens pages, and writes down what they complain about.

    Attributes:
        cookie: by which the server knows the browser: name and value; no name: it does not.
        complaints: errors in the console (violations of the Content-Security-Policy among them), in scripts, and
            dialogs, which no page of ours opens.
        expected: what may be complained about, as a regular expression.
    """

    browser: Browser
    url: str
    cookie: tuple[str, str] = ("", "")
    complaints: list[str] = field(default_factory=list[str])
    expected: str = r"(?!)"

    def open(self, path: str, **options: Any) -> Page:
        """A page in a window of its own. Options: those of a browser context."""
        settings: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "base_url": self.url, **options}
        context = self.browser.new_context(**settings)
        if name := self.cookie[0]:
            context.add_cookies([{"name": name, "value": self.cookie[1], "url": self.url}])
        page = context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"error in a script: {error}"))
        page.on("dialog", self._on_dialog)
        page.goto(path)
        page.evaluate("window.isTheSameDocument = true") if options.get("java_script_enabled", True) else None
        return page

    def close(self) -> list[str]:
        """Close all; the complaints that nobody expected."""
        for context in self.browser.contexts:
            context.close()
        return [one for one in self.complaints if not re.search(self.expected, one)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


def is_same_document(page: Page) -> bool:
    """Whether it has not been loaded anew since `Visits.open`."""
    return page.evaluate("window.isTheSameDocument === true")


@dataclass(frozen=True)
class Puppet:
    """A job that does what its script says."""

    handle: JobHandle
    script: Path

    @classmethod
    def start(cls, dev: Dev, script: Path, *lines: str, **options: Any) -> Puppet:
        """Enqueue it and wait until it runs."""
        script.touch()
        made = cls(dev.client.enqueue("puppet.jobs.Puppet", "follow", [str(script)], **options), script)
        made.do(*lines)
        wait_until("the puppet runs", lambda: made.handle.refresh().phase == "running" or made.has_ended)
        return made

    @property
    def id(self) -> str:
        return self.handle.id

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/jobs/{self.id}"

    @property
    def row(self) -> str:
        """Its row in the list, as a selector."""
        return f"#job-{self.id}"

    @property
    def has_ended(self) -> bool:
        return self.handle.refresh().finished_at is not None

    def do(self, *lines: str) -> None:
        """Write on."""
        with self.script.open("a") as script:
            script.writelines(f"{line}\n" for line in lines)

    def end(self, *lines: str) -> None:
        """Let it end, and wait for that."""
        self.do(*(lines or ("end",)))
        self.handle.wait(timeout=120, poll=0.05)
