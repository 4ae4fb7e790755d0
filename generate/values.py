"""Makes docs/values.md: the chart's values, with the comments that stand above them in values.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "charts/bgjobs/values.yaml"
PAGE = """\
{header}
# Values of the Helm chart

{values}"""


def comment_above(lines: list[str], number: int) -> str:
    """The block of comment lines that ends right above the line with this index, joined to one text."""
    start = number
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return " ".join(line.strip().lstrip("#").strip() for line in lines[start:number])


def rows(node: yaml.Node | None, value: Any, lines: list[str], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield path, default (as JSON) and comment of every value; a section has the default "".

    Raises:
        TypeError: if the file, or a section of it, is not a mapping.
        ValueError: if a value has no comment above it, so that nobody knows what it is for.
    """
    if not isinstance(node, yaml.MappingNode):
        raise TypeError(f"{prefix or SOURCE} is not a mapping")
    for key_node, inner in node.value:
        key = str(key_node.value)
        path = f"{prefix}{key}"
        text = comment_above(lines, key_node.start_mark.line)
        if not text:
            raise ValueError(f"{SOURCE}: {path} has no comment above it")
        section = isinstance(inner, yaml.MappingNode) and bool(inner.value) and not inner.flow_style
        yield path, "" if section else json.dumps(value[key]), text
        if section:
            yield from rows(inner, value[key], lines, f"{path}.")


def page(text: str) -> str:
    """The page for the text of a values.yaml."""
    found = rows(yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text), text.splitlines())
    values = table(
        ["Value", "Default", "What it is"], [(code(path), code(default), about) for path, default, about in found]
    )
    return PAGE.format(header=header(SOURCE), values=values)


def files() -> Iterator[tuple[str, str]]:
    """Yield the page docs/values.md."""
    yield "docs/values.md", page((Path(__file__).resolve().parent.parent / SOURCE).read_text())
