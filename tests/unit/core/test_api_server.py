"""What the Kubernetes API server says of itself, and which versions of it bgjobs supports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bgjobs_core.kube.objects import MINIMUM_VERSION, ApiServer, api_server

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("version", "minor"),
    [
        ("v1.36.3", (1, 36)),
        ("v1.31.0-eks-1a2b", (1, 31)),
        ("v1.29.4+k3s1", (1, 29)),
        ("1.40", (1, 40)),
        ("", None),
        ("soon", None),
    ],
)
def test_the_minor_of_a_version(version: str, minor: tuple[int, int] | None) -> None:
    assert ApiServer(version, None).minor == minor


def test_what_the_api_server_says_of_itself() -> None:
    said = api_server({"gitVersion": "v1.36.3", "major": "1"}, "Tue, 24 Nov 2026 09:50:00 GMT")
    assert said == ApiServer("v1.36.3", 1_795_513_800.5)
    assert api_server({}, "") == ApiServer("", None)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("charts/bgjobs/Chart.yaml", r'^kubeVersion: ">=(\d+)\.(\d+)\.0-0"'),
        ("docs/operations.md", r"Kubernetes (\d+)\.(\d+) or newer"),
    ],
)
def test_chart_and_documentation_name_the_same_minimum(file: str, words: str) -> None:
    found = re.findall(words, (ROOT / file).read_text(), re.MULTILINE)
    assert [(int(major), int(minor)) for major, minor in found] == [MINIMUM_VERSION]
