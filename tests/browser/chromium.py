"""The machine's Chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowserError(Exception):
    """There is none; says how to get one."""


def find() -> str:
    """Path of its executable.

    Raises:
        NoBrowserError: if there is none.
    """
    found = os.environ.get("BGJOBS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None or shutil.which(found) is None:
        raise NoBrowserError(
            f"no browser ({found or ', '.join(NAMES)}): install one (on Debian: apt-get install chromium), "
            "or name one in BGJOBS_CHROMIUM"
        )
    return found


@contextmanager
def browser() -> Generator[Browser]:
    """One without a window.

    Raises:
        NoBrowserError: if there is none.
    """
    executable = find()
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=executable, headless=True, args=list(OPTIONS))
        try:
            yield started
        finally:
            started.close()
