"""Pictures of the pages for the docs: `bgjobs dev` with the shop's jobs, and a short scene played on it.

`python -m tests.browser.screenshots [FOLDER]`, from the root of the repository.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser import chromium
from tests.browser.small_png import with_palette
from tests.local.dev_server import SHOP, Dev, end_all, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from bgjobs import JobHandle

ROOT = Path(__file__).parents[2]
MOST_BYTES = 100_000
QUEUES = """\
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobQueue
metadata: {name: mail}
spec: {approvedClasses: ["shop.jobs.Mail"], maxConcurrent: 2}
---
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobQueue
metadata: {name: warehouse}
spec: {approvedClasses: ["shop.jobs.Orders", "shop.jobs.Flaky"], maxConcurrent: 1}
"""


def make_project(folder: Path) -> Path:
    """What a shop's repository would have."""
    project = folder / "shop"
    shutil.copytree(SHOP, project / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "queues.yaml").write_text(QUEUES)
    return project


def play(dev: Dev) -> JobHandle:
    """Some that succeeded, failed, wait, run, were cancelled; the one that failed."""

    def job(cls: str, method: str, parameters: object, **options: object) -> JobHandle:
        return dev.client.enqueue(f"shop.jobs.{cls}", method, parameters, **options)  # pyright: ignore[reportArgumentType]

    def ended(*handles: JobHandle) -> None:
        for handle in handles:
            handle.wait(timeout=120, poll=0.05)

    ended(*(job("Invoices", "render", [2026, month, country]) for month, country in ((9, "de"), (10, "fr"))))
    ended(*(job("Mail", "send", [f"{to}@example.org", "Your order"], queue="mail") for to in ("ada", "grace", "alan")))
    failed = job("Payments", "charge", {"amount": 129.9}, priority=1, max_retries=1)
    ended(failed, job("Flaky", "until_attempt", [2], queue="warehouse"))
    unwanted = job("Reports", "slow", {"seconds": 300.0})
    wait_until("it runs", lambda: unwanted.refresh().phase == "running")
    unwanted.cancel("the wrong month")
    ended(unwanted, job("Invoices", "render", {"year": 2026, "month": 11, "country": "de"}))
    job("Mail", "send", ["edsger@example.org", "We miss you"], queue="mail", delay=7200)
    held = job("Orders", "hold", [300.0], queue="warehouse")
    wait_until("it runs", lambda: held.refresh().phase == "running")
    job("Orders", "careful", [20.0], queue="warehouse", priority=1)
    report = job("Reports", "slow", {"seconds": 20.0})

    def is_on_its_way() -> bool:
        progress = report.refresh().progress
        return progress is not None and (progress.done or 0) >= 20

    wait_until("it is on its way", is_on_its_way)
    return failed


def take(browser: Browser, dev: Dev, path: str, ready: str, file: Path) -> None:
    """One picture, in light colours; small enough to be kept in git."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light", base_url=dev.url)
    name, value = dev.sign_in()
    page.context.add_cookies([{"name": name, "value": value, "url": dev.url}])
    page.goto(path)
    expect(page.get_by_text(ready).first).to_be_visible()
    file.write_bytes(with_palette(page.screenshot(animations="disabled")))
    size = file.stat().st_size
    print(f"{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}: {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"{file} is larger than {MOST_BYTES / 1000:.0f} kB")


def main(folder: Path) -> None:
    """Play, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["LOGNAME"] = "ada"  # who asks for all this
    with tempfile.TemporaryDirectory(prefix="bgjobs-") as temporary, chromium.browser() as browser:
        project = make_project(Path(temporary))
        try:
            dev = Dev.start(project, "--fast-retries", "--max-concurrent", "4")
            failed = play(dev)
            take(browser, dev, "/jobs", "of 80", folder / "jobs.png")
            take(browser, dev, f"/jobs/{failed.id}", "PaymentRefused", folder / "job.png")
            dev.stop()
        finally:
            end_all(project)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/images")
    except chromium.NoBrowserError as error:
        sys.exit(str(error))
