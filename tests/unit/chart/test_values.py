"""values.yaml and its schema: what is there is described, and what is not described is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from helm_python import HelmValuesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helm_python import Chart


def schemas(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that lists properties."""
    if isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        if isinstance(schema.get("properties"), dict):
            yield path, schema
        for key, value in schema.items():
            yield from schemas(value, f"{path}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(cast("list[Any]", node)):
            yield from schemas(value, f"{path}/{number}")


def test_no_object_of_the_schema_is_open(chart: Chart) -> None:
    found = dict(schemas(chart.schema))
    assert len(found) > 10
    assert [path for path, schema in found.items() if schema["additionalProperties"] is not False] == []


def test_no_default_is_undescribed(chart: Chart) -> None:
    schema = chart.schema
    assert schema is not None

    def described(values: dict[str, Any], node: dict[str, Any], path: str) -> None:
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        for key, value in values.items():
            if isinstance(node.get("properties"), dict):
                assert key in node["properties"], f"{path}.{key}"
                if isinstance(value, dict):
                    described(cast("dict[str, Any]", value), node["properties"][key], f"{path}.{key}")

    described(chart.values, schema, "")


def test_no_description_is_without_a_default(chart: Chart) -> None:
    schema = chart.schema
    assert schema is not None
    assert schema["properties"].keys() - {"global"} == chart.values.keys()
    for part in ("image", "api", "operator", "redis"):
        node = schema["properties"][part]
        node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node
        assert node["properties"].keys() == chart.values[part].keys()


@pytest.mark.parametrize(
    "values",
    [
        {"nope": 1},
        {"image": {"name": "x"}},
        {"operator": {"replica": 1}},
        {"operator": {"replicas": "two"}},
        {"api": {"kubeJobsSeconds": 1}},
        {"redis": {"persistence": {}}},
        {"redis": {"maxmemory": "lots"}},
        {"redis": {"external": {"url": "http://redis"}}},
        {"image": {"tag": "latest"}},
        {"jobNamespaces": "shop"},
        {"jobNamespaces": ["Shop"]},
        {"logLevel": "loud"},
        {"queues": {"a.b": {}}},
        {"queues": {"default": {"max_concurrent": 1}}},
        {"queues": {"default": {"maxConcurrent": -1}}},
        {"queues": {"default": {"approvedClasses": ["*"]}}},
        {"queues": {"default": {"pod": {"imagePullPolicy": "Sometimes"}}}},
    ],
    ids=json.dumps,
)
def test_wrong_values_are_refused(chart: Chart, values: dict[str, Any]) -> None:
    with pytest.raises(HelmValuesError):
        chart.validate_schema(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"queues": {"default": None}},
        {"queues": {"default": {"pod": {"env": [{"name": "A", "value": "b"}], "affinity": {"nodeAffinity": {}}}}}},
        {"queues": {"default": {"image": None, "defaultTimeoutSeconds": 0.5}}},
        {"global": {"anything": True}},
    ],
    ids=json.dumps,
)
def test_right_values_are_taken(chart: Chart, values: dict[str, Any]) -> None:
    chart.validate_schema(values)


def test_the_values_for_development_are_valid(chart: Chart, chart_folder: Path) -> None:
    values = yaml.safe_load((chart_folder / "ci/dev-values.yaml").read_text())
    chart.validate_schema(values)
    assert values["image"]["tag"] == "dev"
