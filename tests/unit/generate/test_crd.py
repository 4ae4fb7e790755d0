"""pydantic models as structural schemas: the converter, and what comes out of it for our resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import pytest
from pydantic import BaseModel, ConfigDict, Field

from bgjobs_core.resources.crd import DEFINITIONS, definitions, structural
from bgjobs_core.resources.models import ENDED_STAYS, QueueSpec, RequestSpec
from bgjobs_core.resources.schedules import ScheduleSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

FREE = {"x-kubernetes-preserve-unknown-fields": True}


class Inner(BaseModel):
    """Something inside."""

    size: int = 3


class Typed(BaseModel):
    type: str
    note: str = ""


class Sample(BaseModel):
    """One field for each thing that the converter has to know."""

    model_config = ConfigDict(extra="forbid")

    required: str
    default: int = 5
    bounded: Annotated[str, Field(min_length=1, max_length=9, pattern="^a+$")] = "a"
    above: Annotated[float, Field(gt=0, le=9)] = 1
    below: Annotated[float, Field(ge=0, lt=9)] = 1
    maybe: Annotated[int, Field(ge=0)] | None = None
    maybe_set: int | None = 4
    fixed: Literal["x"] = "x"
    one_of: Literal["x", "y"] = "x"
    texts: dict[str, str] = Field(default_factory=dict)
    free: dict[str, Any] = Field(default_factory=dict)
    anything: Any = None
    described: Any = Field(description="Free.")
    words: Annotated[list[str], Field(max_length=2)] = Field(default_factory=lambda: ["w"])
    unique: set[str] = Field(default_factory=set)
    free_objects: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    either: list[Any] | dict[str, Any] = Field(default_factory=list[Any])
    inner: Inner = Field(default_factory=Inner)
    inner_changed: Inner = Field(default_factory=lambda: Inner(size=4), description="Mine.")
    typed: list[Typed] = Field(default_factory=list[Typed])
    title: str = "a property of this name is kept"


TABLE: dict[str, dict[str, Any]] = {
    "required": {"type": "string"},
    "default": {"type": "integer", "default": 5},
    "bounded": {"type": "string", "default": "a", "minLength": 1, "maxLength": 9, "pattern": "^a+$"},
    "above": {"type": "number", "default": 1, "minimum": 0, "exclusiveMinimum": True, "maximum": 9},
    "below": {"type": "number", "default": 1, "minimum": 0, "maximum": 9, "exclusiveMaximum": True},
    "maybe": {"type": "integer", "minimum": 0, "nullable": True},
    "maybe_set": {"type": "integer", "default": 4, "nullable": True},
    "fixed": {"type": "string", "enum": ["x"], "default": "x"},
    "one_of": {"type": "string", "enum": ["x", "y"], "default": "x"},
    "texts": {"type": "object", "additionalProperties": {"type": "string"}, "default": {}},
    "free": {"type": "object", "default": {}, **FREE},
    "anything": FREE,
    "described": {"description": "Free.", **FREE},
    "words": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "default": ["w"]},
    "unique": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "default": []},
    "free_objects": {"type": "array", "items": {"type": "object", **FREE}, "default": []},
    "either": {
        "default": [],
        **FREE,
        "pattern": "^$must be a list or an object, and no text$",
        "minimum": 1,
        "maximum": 0,
        "not": {"enum": [True, False]},
        "maxItems": 131_072,  # of 256 KiB
        "maxProperties": 52_428,
    },
    "inner": {
        "type": "object",
        "description": "Something inside.",
        "properties": {"size": {"type": "integer", "default": 3}},
        "default": {},
    },
    "inner_changed": {
        "type": "object",
        "description": "Mine.",
        "properties": {"size": {"type": "integer", "default": 3}},
        "default": {"size": 4},
    },
    "typed": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"type": {"type": "string"}, "note": {"type": "string", "default": ""}},
            "required": ["type"],
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "default": [],
    },
    "title": {"type": "string", "default": "a property of this name is kept"},
}


@pytest.mark.parametrize("field", Sample.model_fields)
def test_a_field(field: str) -> None:
    assert structural(Sample)["properties"][field] == TABLE[field]


def test_a_model() -> None:
    schema = structural(Sample)
    assert schema.keys() == {"type", "description", "properties", "required"}
    assert schema["required"] == ["required", "described"]


def test_a_union_of_other_types_is_refused() -> None:
    class Mixed(BaseModel):
        either: int | str

    with pytest.raises(ValueError, match="no union"):
        structural(Mixed)


def test_what_a_structural_schema_lacks_is_refused() -> None:
    class Pair(BaseModel):
        pair: tuple[int, str]

    with pytest.raises(ValueError, match="nothing for 'prefixItems'"):
        structural(Pair)


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from nodes(schema[keyword], f"{path}[]")


OURS = {
    path: node
    for definition in definitions()
    for path, node in nodes(
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], definition["spec"]["names"]["kind"]
    )
}


def test_a_pattern_is_one_for_go_too() -> None:
    """Go's RE2 has no look-around and no references back; without anchors a part would be enough."""
    patterns = [node["pattern"] for node in OURS.values() if "pattern" in node]
    assert len(patterns) > 5
    for pattern in patterns:
        assert not re.search(r"\(\?[=!<]|\\[1-9]", pattern), pattern
        assert (pattern[0], pattern[-1]) == ("^", "$")


def test_text_and_lists_of_our_own_are_bounded() -> None:
    """The API server counts the cost of CEL rules by these bounds."""
    ours = {path: node for path, node in OURS.items() if ".spec" in path or ".status" in path}
    texts = [
        path for path, node in ours.items() if node.get("type") == "string" and not {"maxLength", "enum"} & node.keys()
    ]
    lists = [path for path, node in ours.items() if node.get("type") == "array" and "maxItems" not in node]
    assert [path for path in texts if not path.endswith("[]")] == []  # values of labels: the API server bounds them
    assert lists == []


JOB = {"class": "shop.jobs.Report", "method": "build"}


def defaulted(schema: dict[str, Any], value: object) -> object:
    """As the API server fills in what is absent."""
    if not isinstance(value, dict) or "properties" not in schema:
        return value  # pyright: ignore[reportUnknownVariableType]
    known = cast("dict[str, Any]", value)
    filled = {name: inner["default"] for name, inner in schema["properties"].items() if "default" in inner} | known
    return {name: defaulted(schema["properties"][name], inner) for name, inner in filled.items()}


@pytest.mark.parametrize(
    ("model", "given"), [(QueueSpec, {}), (RequestSpec, JOB), (ScheduleSpec, {"cron": "@daily", "job": JOB})]
)
def test_the_api_server_fills_in_what_the_model_would(model: type[BaseModel], given: dict[str, Any]) -> None:
    expected = model.model_validate(given).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert defaulted(structural(model), given) == expected


def test_the_end_that_a_request_tells_of_stays() -> None:
    """The API server refuses an older status that arrives after the one that told the end."""
    [rule] = OURS["BackgroundJobRequest.status"]["x-kubernetes-validations"]
    assert rule == {
        "rule": "!has(oldSelf.state) || !(oldSelf.state in "
        "['cancelled', 'failed', 'ignored', 'returned', 'succeeded']) || "
        "(has(self.state) && self.state == oldSelf.state)",
        "message": ENDED_STAYS,
    }


def test_a_schedule_has_no_unique_key() -> None:
    """What happens at a tick while a job of it is there is its concurrencyPolicy."""
    request, job = OURS["BackgroundJobRequest.spec"], OURS["BackgroundJobSchedule.spec.job"]
    names = {"uniqueKey", "uniqueMode", "uniqueForSeconds"}
    assert {name for name in request["properties"] if name.startswith("unique")} == names
    assert not {name for name in job["properties"] if name.startswith("unique")}


def test_a_short_name_is_no_category() -> None:
    """kubectl takes a category first, and `kubectl get CATEGORY NAME` is an error."""
    names = [definition["spec"]["names"] for definition in definitions()]
    short = [name for entry in names for name in entry["shortNames"]]
    assert sorted(short) == ["bgjob", "bgjobs", "bgqueue", "bgschedule"]
    assert {category for entry in names for category in entry["categories"]}.isdisjoint(short)


def test_columns_show_fields_that_exist() -> None:
    for definition in DEFINITIONS:
        fields = {f".spec.{name}" for name in structural(definition.spec)["properties"]}
        fields |= {f".status.{name}" for name in structural(definition.status)["properties"]}
        for column in definition.columns:
            assert ".".join(column.json_path.partition("[")[0].split(".")[:3]) in fields, column


def test_the_columns_of_kubectl_get() -> None:
    columns = {
        definition["spec"]["names"]["kind"]: [
            (column["name"], column.get("priority", 0))
            for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]
        ]
        for definition in definitions()
    }
    assert columns == {
        "BackgroundJobRequest": [
            ("State", 0), ("Class", 0), ("Method", 0), ("Queue", 1), ("Attempts", 0), ("Reason", 1), ("Age", 0)
        ],
        "BackgroundJobQueue": [("Max", 0), ("Paused", 0), ("Image", 1), ("Ready", 0), ("Age", 0)],
        "BackgroundJobSchedule": [
            ("Times", 0), ("Suspend", 0), ("Class", 0), ("Next", 0), ("Last", 0), ("Last Job", 1), ("Ready", 0),
            ("Age", 0)
        ],
    }  # fmt: skip


def test_parameters_have_no_type_so_that_a_change_is_seen() -> None:
    """CEL compares all that is in a free-form field only if it has no type: in an object a renamed key would pass."""
    parameters = OURS["BackgroundJobRequest.spec.parameters"]
    assert "type" not in parameters
    # No text has this pattern, and kubectl shows it to whoever writes a text there.
    assert "must be a list or an object" in parameters["pattern"]
    assert not any(re.search(parameters["pattern"], text) for text in ("", "x", parameters["pattern"].strip("^$")))
    assert parameters["x-kubernetes-preserve-unknown-fields"] is True
    rules = [rule["rule"] for rule in OURS["BackgroundJobRequest.spec"]["x-kubernetes-validations"]]
    assert rules[0].startswith("self.paused == oldSelf.paused ? self == oldSelf : (has(self.queue) ==")
    fields = {*RequestSpec.model_json_schema(by_alias=True)["properties"]}
    assert {name for name in fields if f"oldSelf.{name}" in rules[0]} == fields - {"parameters"}
    assert [rule.partition("(")[0] for rule in rules[1:]] == ["self.labels.all", "!has", "has"]
