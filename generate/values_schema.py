"""Updates charts/bgjobs/values.schema.json: the schema of a queue comes from its model, the rest is kept by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bgjobs_core.resources.crd import json_schema
from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = "charts/bgjobs/values.schema.json"
QUEUE = "queueSpec"


def inlined(node: Any, defs: dict[str, Any]) -> Any:
    """The schema with every `$ref` replaced by its definition, and without `title` and `default`.

    A default has no place there: Kubernetes fills it in from the CustomResourceDefinition.
    """
    if isinstance(node, list):
        return [inlined(item, defs) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    if "$ref" in schema:
        schema = {**defs[schema["$ref"].removeprefix("#/$defs/")], **schema}
    return {
        key: {name: inlined(inner, defs) for name, inner in value.items()}
        if key == "properties"
        else inlined(value, defs)
        for key, value in schema.items()
        if key not in {"$ref", "$defs", "title", "default"}
    }


def files() -> Iterator[tuple[str, str]]:
    """Yield the file as it is, with a new schema of a queue in it."""
    schema = json.loads((Path(__file__).resolve().parent.parent / TARGET).read_text())
    queue = json_schema(QueueSpec)
    schema["$defs"][QUEUE] = inlined(queue, queue["$defs"])
    yield TARGET, json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
