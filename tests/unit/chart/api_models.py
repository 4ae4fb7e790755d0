"""The API of one minor of Kubernetes, as the Python package of that minor knows it, and what does not fit it.

The packages cannot be loaded beside each other, so nothing of them is: the tables in their sources are read.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parents[3]
_LOCKS: Final = _ROOT / "requirements/minors"
_INSTALLED: Final = _ROOT / ".venv/minors"  # by the Makefile

_CLASS: Final = re.compile(r"^class (\w+)\(object\):", re.MULTILINE)
_TYPES: Final = re.compile(r"^    openapi_types = (\{.*?^    \})", re.MULTILINE | re.DOTALL)
_NAMES: Final = re.compile(r"^    attribute_map = (\{.*?^    \})", re.MULTILINE | re.DOTALL)
_PATH: Final = re.compile(r"'(/[^']*)', '(?:GET|POST|PUT|PATCH|DELETE)'")
_LIST: Final = re.compile(r"list\[(.*)\]")
_DICT: Final = re.compile(r"dict[(\[]str, (.*)[)\]]")
_PLACE: Final = re.compile(r"\{[^}]*\}")

# Either of two kinds, which the models cannot say.
_SCHEMA: Final = "V1JSONSchemaProps"
_SCHEMAS: Final = {(_SCHEMA, "items"), (_SCHEMA, "additionalProperties")}
_PLAIN: Final[dict[str, type | tuple[type, ...]]] = {
    "str": str,
    "datetime": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
}


def minors() -> list[str]:
    """Those that there are packages of, the oldest first."""
    return sorted(path.stem for path in _LOCKS.glob("*.txt"))


@dataclass(frozen=True)
class Api:
    """One minor's.

    Attributes:
        fields: types by model and name in JSON.
        paths: as `/apis/batch/v1/namespaces/{}/jobs`.
    """

    fields: dict[str, dict[str, str]]
    paths: frozenset[str]


@cache
def api(minor: str) -> Api:
    """The one of a minor, as `1.31`.

    Raises:
        FileNotFoundError: it is not installed.
    """
    client = _INSTALLED / minor / "kubernetes/client"
    if not client.is_dir():
        raise FileNotFoundError(f"{client} is not there: run `make setup`")
    fields: dict[str, dict[str, str]] = {}
    for path in client.glob("models/*.py"):
        text = path.read_text()
        name, types, names = _CLASS.search(text), _TYPES.search(text), _NAMES.search(text)
        if name and types and names:
            by_attribute = ast.literal_eval(types[1])
            fields[name[1]] = {json: by_attribute[own] for own, json in ast.literal_eval(names[1]).items()}
    paths = {_PLACE.sub("{}", found) for path in client.glob("api/*.py") for found in _PATH.findall(path.read_text())}
    return Api(fields, frozenset(paths))


def model_of(item: dict[str, Any]) -> str:
    """The name of an object's model, as V1Job."""
    version = str(item["apiVersion"]).rpartition("/")[2]
    return f"{version[0].upper()}{version[1:]}{item['kind']}"


def plural_of(kind: str) -> str:
    """As in addresses."""
    lower = kind.lower()
    if lower.endswith("y"):
        return f"{lower[:-1]}ies"
    return f"{lower}es" if lower.endswith("s") else f"{lower}s"


def complaints(known: Api, item: dict[str, Any]) -> list[str]:
    """What of an object the API does not have, or has with another type."""
    group = str(item["apiVersion"])
    prefix = f"/apis/{group}" if "/" in group else f"/api/{group}"
    model, plural = model_of(item), plural_of(str(item["kind"]))
    there = {f"{prefix}/{plural}", f"{prefix}/namespaces/{{}}/{plural}"}
    if not there & known.paths:
        return [f"{group} {item['kind']}: there is no such kind"]
    return [f"{item['kind']}.{told}" for told in misfits(known, model, item, "")]


def misfits(known: Api, kind: str, value: Any, path: str) -> Iterator[str]:
    """The same for a part of an object: its type as the models name it, and where it is."""
    if kind == "object":
        return
    if found := _LIST.fullmatch(kind):
        if not isinstance(value, list):
            yield f"{path}: a list is wanted"
            return
        for number, element in enumerate(cast("list[Any]", value)):
            yield from misfits(known, found[1], element, f"{path}[{number}]")
    elif found := _DICT.fullmatch(kind):
        if not isinstance(value, dict):
            yield f"{path}: an object is wanted"
            return
        for key, element in cast("dict[str, Any]", value).items():
            yield from misfits(known, found[1], element, f"{path}.{key}")
    elif kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind != "bool"):
            yield f"{path}: {kind} is wanted, and not {value!r}"
    else:
        yield from _misfits_of_model(known, kind, value, path)


def _misfits_of_model(known: Api, model: str, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: an object is wanted"
        return
    fields = known.fields[model]
    for name, element in cast("dict[str, Any]", value).items():
        where = f"{path}.{name}" if path else name
        if name not in fields:
            yield f"{where}: {model} has no such field"
        elif (model, name) in _SCHEMAS and isinstance(element, dict):
            yield from misfits(known, _SCHEMA, element, where)
        else:
            yield from misfits(known, fields[name], element, where)
