"""Which images fit which pattern: one row each."""

from __future__ import annotations

import time

import pytest

from bgjobs_core.jobs.admission import image_allowed
from bgjobs_core.jobs.images import Reference, fits
from bgjobs_core.resources.models import QueueSpec

DIGEST = "sha256:" + "a" * 64

FIT = [
    # pattern                         image
    ("shop:1", "shop:1"),
    ("shop", "shop"),
    ("shop:*", "shop:1"),
    ("shop:*", f"shop@{DIGEST}"),
    ("shop:*", f"shop:1@{DIGEST}"),
    ("shop:v*", "shop:v2"),
    ("shop:v?", "shop:v2"),
    ("shop:2026.*", "shop:2026.11"),
    ("team/*:1", "team/shop:1"),
    ("registry.example/shop:*", "registry.example/shop:2026.11"),
    ("registry.example:5000/team/shop:*", "registry.example:5000/team/shop:1"),
    ("registry.example/*:*", "registry.example/shop:1"),
    ("*.registry.example/shop:*", "eu.registry.example/shop:1"),
    ("localhost/shop:*", "localhost/shop:1"),
    (f"shop@{DIGEST}", f"shop@{DIGEST}"),
    (f"shop@{DIGEST}", f"shop:1@{DIGEST}"),
    ("shop@sha256:*", f"shop@{DIGEST}"),
    ("shop:1@sha256:*", f"shop:1@{DIGEST}"),
]
DO_NOT_FIT = [
    ("shop:*", "shop:5000/evil/x:1"),
    ("shop:*", "shop:5000/evil"),
    ("shop:*", "shop/evil:1"),
    ("shop:*", "evil/shop:1"),
    ("shop:*", "evil.example/shop:1"),
    ("shop:*", "shop"),
    ("shop*", "shop/evil"),
    ("shop*", "shop.evil.example/x"),
    ("shop*:1", "shop:5000/x:1"),
    ("*", "evil.example/x"),
    ("*:*", "evil.example/x:1"),
    ("*/shop:1", "evil.example/shop:1"),
    ("*/shop:1", "a/b/shop:1"),
    ("registry.example/*:*", "registry.example/team/shop:1"),
    ("registry.example/shop:*", "registry.example:5000/shop:1"),
    ("registry.example*/shop:*", "registry.example:5000/shop:1"),
    ("registry.example/shop:*", "registry.example.evil/shop:1"),
    ("registry.example/shop:*", "registryXexample/shop:1"),
    ("localhost/shop:*", "localhost:5000/shop:1"),
    ("shop:v*", f"shop:v1@{DIGEST}"),
    ("shop:1", f"shop:1@{DIGEST}"),
    ("shop", f"shop@{DIGEST}"),
    (f"shop@{DIGEST}", "shop:1"),
    ("shop@sha256:*", f"other@{DIGEST}"),
    ("shop:1@sha256:*", f"shop:2@{DIGEST}"),
    ("shop:[12]", "shop:1"),
    ("shop?evil:1", "shop/evil:1"),
    ("registry?example/shop:1", "registry/example/shop:1"),
]


@pytest.mark.parametrize(("pattern", "image"), FIT)
def test_what_fits(pattern: str, image: str) -> None:
    assert fits(image, pattern)
    assert image_allowed(image, QueueSpec(images=["nothing:1", pattern]))


@pytest.mark.parametrize(("pattern", "image"), DO_NOT_FIT)
def test_what_does_not(pattern: str, image: str) -> None:
    assert not fits(image, pattern)
    assert not image_allowed(image, QueueSpec(images=[pattern]))


def test_the_parts_of_an_image() -> None:
    whole = f"registry.example:5000/team/shop:1@{DIGEST}"
    assert Reference.read(whole) == Reference("registry.example:5000", "team/shop", "1", DIGEST)
    assert Reference.read("shop") == Reference("", "shop", "", "")
    assert Reference.read("team/shop:1") == Reference("", "team/shop", "1", "")


def test_a_long_pattern_takes_no_long_time() -> None:
    """Relative to a plain one of that length, so that a slow machine does not matter."""

    def seconds(pattern: str) -> float:
        begun = time.process_time()
        for _ in range(20):
            assert not fits("a" * 400 + "/b", pattern)
        return time.process_time() - begun

    plain = seconds("a" * 450)
    assert seconds("*" * 450) < 100 * plain + 0.1
