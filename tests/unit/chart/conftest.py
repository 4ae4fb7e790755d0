"""The chart, rendered without a cluster by the Helm library; the same values are rendered once a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from helm_python import Chart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHART = Path(__file__).parents[3] / "charts/bgjobs"
NAMESPACE = "tools"


@pytest.fixture(scope="session")
def chart() -> Iterator[Chart]:
    with Chart.load(CHART) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def chart_folder() -> Path:
    return CHART


@pytest.fixture(scope="session")
def render_files(chart: Chart) -> Callable[..., dict[str, str]]:
    """Texts by the path within templates/."""

    def render(values: dict[str, Any] | None = None, *, is_upgrade: bool = False) -> dict[str, str]:
        texts = chart.render(values, name="bgjobs", namespace=NAMESPACE, is_upgrade=is_upgrade)
        return {path.removeprefix("bgjobs/templates/"): text for path, text in texts.items()}

    return render


@pytest.fixture(scope="session")
def render(render_files: Callable[..., dict[str, str]]) -> Callable[..., list[dict[str, Any]]]:
    """Objects, of one folder of templates/ or of all."""
    known: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def parsed(values: dict[str, Any] | None, is_upgrade: bool) -> dict[str, list[dict[str, Any]]]:
        files = render_files(values, is_upgrade=is_upgrade)
        return {
            path: [document for document in yaml.safe_load_all(text) if document]
            for path, text in files.items()
            if path.endswith(".yaml")
        }

    def objects(
        values: dict[str, Any] | None = None, folder: str = "", *, is_upgrade: bool = False
    ) -> list[dict[str, Any]]:
        key = json.dumps([values, is_upgrade], sort_keys=True)
        if key not in known:
            known[key] = parsed(values, is_upgrade)
        return [document for path, found in known[key].items() if path.startswith(folder) for document in found]

    return objects
