"""Models of `resources` as CustomResourceDefinitions: pydantic's JSON schema turned into a structural schema.

Pure: `definitions()` gives plain dicts, which generate/custom_resources.py writes down. A keyword that is not known
here is an error, because the API server drops or refuses what a structural schema may not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from bgjobs.job_spec import LABEL_KEY, MAX_LABEL_KEY
from bgjobs.protocol import MAX_JSON_BYTES
from bgjobs.vocabulary import TERMINAL, UniqueAnswer
from bgjobs_core.resources.models import (
    ENDED_STAYS,
    GROUP,
    QUEUES,
    REQUESTS,
    SCHEDULES,
    VERSION,
    QueueSpec,
    QueueStatus,
    RequestSpec,
    RequestStatus,
)
from bgjobs_core.resources.schedules import ScheduleSpec, ScheduleStatus

if TYPE_CHECKING:
    from pydantic_core.core_schema import WithDefaultSchema

Schema = dict[str, Any]

_KEPT: Final = frozenset({
    "description", "default", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "multipleOf", "minItems", "maxItems", "minProperties", "maxProperties", "required",
})  # fmt: skip
_DROPPED: Final = frozenset({"$defs", "title", "examples", "discriminator", "readOnly", "deprecated"})
_FREE: Final[Schema] = {"x-kubernetes-preserve-unknown-fields": True}

# A structural schema can't say "a list or an object": alternatives may not carry a `type`, and CEL has no name for a
# field without one. But it can say what no scalar fulfils, each of which binds one kind alone: bounds of numbers that
# cross, and a pattern that no text has, because something follows its end. The API server shows the pattern to people,
# so it reads as what is wrong.
_LIST_OR_OBJECT: Final[Schema] = {
    **_FREE,
    "pattern": "^$must be a list or an object, and no text$",
    "minimum": 1,
    "maximum": 0,
    "not": {"enum": [True, False]},
    # No list or object with more can be written in so many bytes: `0,` and `"":0,` are the shortest. What is in them
    # has no schema, so the bytes themselves cannot be bounded here; the operator refuses what has more.
    "maxItems": MAX_JSON_BYTES // 2,
    "maxProperties": MAX_JSON_BYTES // 5,
}


class _WithFactories(GenerateJsonSchema):
    """Also tells the defaults that a factory makes; of a nested model only what differs from its own defaults."""

    def get_default_value(self, schema: WithDefaultSchema) -> Any:
        factory = schema.get("default_factory")
        value: Any = super().get_default_value(schema) if factory is None else cast("Any", factory)()
        return (
            value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            if isinstance(value, BaseModel)
            else value
        )


def json_schema(model: type[BaseModel]) -> Schema:
    """The model's JSON schema, with every default."""
    return model.model_json_schema(by_alias=True, schema_generator=_WithFactories)


def structural(model: type[BaseModel]) -> Schema:
    """The model's structural schema, as a CustomResourceDefinition takes it."""
    schema = json_schema(model)
    return _convert(schema, schema.get("$defs", {}))


def _convert(node: Schema, defs: dict[str, Schema]) -> Schema:
    node = dict(node)
    if "$ref" in node:  # a model that holds itself would recurse for ever: a structural schema can't have it either
        return _convert({**defs[node.pop("$ref").removeprefix("#/$defs/")], **node}, defs)
    if "anyOf" in node:
        return _alternatives(node, defs)
    result: Schema = {}
    for keyword, value in node.items():
        result |= _keyword(keyword, value, defs)
    if "type" not in result and "enum" not in result:
        result |= _FREE
    if result.get("default", ...) is None:
        del result["default"]
    return result


def _keyword(keyword: str, value: Any, defs: dict[str, Schema]) -> Schema:
    """What one keyword of JSON schema becomes."""
    match keyword:
        case "exclusiveMinimum" | "exclusiveMaximum":
            return {keyword.removeprefix("exclusive").lower(): value, keyword: True}
        case "const":
            return {"enum": [value]}
        case "items":
            return _list(_convert(value, defs))
        case "uniqueItems":
            return {"x-kubernetes-list-type": "set"}
        case "properties":
            return {keyword: {name: _convert(inner, defs) for name, inner in value.items()}}
        case "additionalProperties" if value is True:
            return dict(_FREE)
        case "additionalProperties" if value is False:
            return {}  # a structural schema is closed: what it doesn't name is pruned, or refused if the client asks
        case "additionalProperties":
            return {keyword: _convert(value, defs)}
        case _ if keyword in _KEPT:
            return {keyword: value}
        case _ if keyword in _DROPPED:
            return {}
        case _:
            raise ValueError(f"a structural schema has nothing for {keyword!r}: {value!r}")


def _alternatives(node: Schema, defs: dict[str, Schema]) -> Schema:
    """`X | None` is a nullable X; `list | dict` is the one union that a resource may have."""
    options: list[Schema] = node.pop("anyOf")
    real = [option for option in options if option.get("type") != "null"]
    if len(real) == 1:
        result = _convert({**real[0], **node}, defs)
    elif {option.get("type") for option in real} == {"array", "object"}:
        result = {**_convert(node, defs), **_LIST_OR_OBJECT}
    else:
        raise ValueError(f"a structural schema has no union of {real}")
    return result | ({"nullable": True} if len(real) < len(options) else {})


def _list(items: Schema) -> Schema:
    """A list of objects with a `type`, as conditions are, is merged by it; any other list is replaced as a whole."""
    keyed = "type" in items.get("required", ())
    return {"items": items} | (
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]} if keyed else {}
    )


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; those of priority 1 are for `-o wide`."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0

    def manifest(self) -> Schema:
        """As it stands in the definition."""
        wide = {"priority": self.priority} if self.priority else {}
        return {"name": self.name, "type": self.type, "jsonPath": self.json_path} | wide


@dataclass(frozen=True)
class Rule:
    """A CEL rule and what the API server says when it does not hold."""

    rule: str
    message: str

    def manifest(self) -> Schema:
        """As it stands in the definition."""
        return {"rule": self.rule, "message": self.message}


@dataclass(frozen=True)
class Definition:
    """What there is to say about a kind beyond its models."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    spec_rules: tuple[Rule, ...] = ()
    status_rules: tuple[Rule, ...] = ()
    root_rules: tuple[Rule, ...] = ()

    def manifest(self) -> Schema:
        """The CustomResourceDefinition."""
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{GROUP}"},
            "spec": {
                "group": GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                    "plural": self.plural,
                    "singular": self.kind.lower(),
                    "shortNames": list(self.short_names),
                    "categories": [CATEGORY],
                },
                "versions": [
                    {
                        "name": VERSION,
                        "served": True,
                        "storage": True,
                        "subresources": {"status": {}},
                        "additionalPrinterColumns": [column.manifest() for column in (*self.columns, _AGE)],
                        "schema": {"openAPIV3Schema": self._schema()},
                    }
                ],
            },
        }

    def _schema(self) -> Schema:
        spec = structural(self.spec) | _rules(self.spec_rules)
        return {
            "description": self.description,
            "type": "object",
            "required": ["spec"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": spec,
                "status": structural(self.status) | _rules(self.status_rules),
            },
        } | _rules(self.root_rules)


def _rules(rules: tuple[Rule, ...]) -> Schema:
    return {"x-kubernetes-validations": [rule.manifest() for rule in rules]} if rules else {}


# Not "bgjobs": kubectl prefers a category to a short name, and refuses `kubectl get bgjobs NAME` then.
CATEGORY: Final = "backgroundjobs"
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")


def _unchanged(spec: type[BaseModel], besides: str) -> str:
    """That no field is another one than before, in CEL, but for one, and for those that CEL has no name for."""
    fields = structural(spec)["properties"]
    named = [name for name, schema in fields.items() if name != besides and "type" in schema]
    return " && ".join(
        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
        for name in named
    )


def _ended_stays() -> Rule:
    """An older write of a status that is on its way for long may arrive after the one that told the end."""
    ended = ", ".join(f"'{state}'" for state in sorted([*TERMINAL, UniqueAnswer.RETURNED, UniqueAnswer.IGNORED]))
    same = "has(self.state) && self.state == oldSelf.state"
    return Rule(f"!has(oldSelf.state) || !(oldSelf.state in [{ended}]) || ({same})", ENDED_STAYS)


def _label_keys(job: str) -> Rule:
    return Rule(
        f"{job}.labels.all(key, size(key) <= {MAX_LABEL_KEY} && key.matches(r'{LABEL_KEY}'))",
        "the key of a label must be a name as `team`, which may follow a domain as in `example.com/team`",
    )


_UNIQUE: Final = (
    Rule("!has(self.uniqueMode) || has(self.uniqueKey)", "uniqueMode needs uniqueKey, whose mode it is"),
    Rule(
        "has(self.uniqueForSeconds) == (has(self.uniqueMode) && self.uniqueMode == 'ignore')",
        "uniqueForSeconds is for uniqueMode ignore, which needs it, and for no other one",
    ),
)

DEFINITIONS: Final = (
    Definition(
        kind="BackgroundJobRequest",
        plural=REQUESTS,
        short_names=("bgjob", "bgjobs"),
        description="A job that is to run once. Deleting it cancels the job.",
        spec=RequestSpec,
        status=RequestStatus,
        columns=(
            Column("State", ".status.state"),
            Column("Class", ".spec.class"),
            Column("Method", ".spec.method"),
            Column("Queue", ".spec.queue", priority=1),
            Column("Attempts", ".status.attempts"),
            Column("Reason", ".status.reason", priority=1),
        ),
        # Equality of the whole spec is the one thing that CEL can say about `parameters`: it has no name for the field,
        # but compares what is in it. With `type: object` a renamed key would pass. To CEL a field that is null differs
        # from itself; the API server asks no rule about what did not change, by default since Kubernetes 1.30.
        # A write that changes `paused` may so change `parameters` with it. The operator compares them then, carries out
        # nothing of such a write, and says so in the status.
        spec_rules=(
            Rule(
                f"self.paused == oldSelf.paused ? self == oldSelf : ({_unchanged(RequestSpec, besides='paused')})",
                "a request can't be changed, but for spec.paused: delete it and create another",
            ),
            _label_keys("self"),
            *_UNIQUE,
        ),
        status_rules=(_ended_stays(),),
    ),
    Definition(
        kind="BackgroundJobQueue",
        plural=QUEUES,
        short_names=("bgqueue",),
        description="How jobs that name it are run: how many at once, which code, as which pods.",
        spec=QueueSpec,
        status=QueueStatus,
        columns=(
            Column("Max", ".spec.maxConcurrent", "integer"),
            Column("Paused", ".spec.paused", "boolean"),
            Column("Image", ".spec.image", priority=1),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        ),
        spec_rules=(
            Rule(
                "size(self.approvedClasses) == 0 || has(self.image) || size(self.images) > 0",
                "a queue that approves classes needs an image, or images that a request may choose",
            ),
        ),
        root_rules=(
            Rule(
                "size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",
                "requests name a queue by a label: at most 63 characters and no dot",
            ),
        ),
    ),
    Definition(
        kind="BackgroundJobSchedule",
        plural=SCHEDULES,
        short_names=("bgschedule",),
        description="A job that is made again and again, by cron or every so many seconds.",
        spec=ScheduleSpec,
        status=ScheduleStatus,
        columns=(
            Column("Times", ".status.times"),
            Column("Suspend", ".spec.suspend", "boolean"),
            Column("Class", ".spec.job.class"),
            Column("Next", ".status.nextTick"),
            Column("Last", ".status.lastTick", "date"),
            Column("Last Job", ".status.lastJobId", priority=1),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        ),
        spec_rules=(
            Rule("has(self.cron) != has(self.everySeconds)", "a schedule has either cron or everySeconds"),
            Rule("!has(self.timeZone) || has(self.cron)", "timeZone is for cron: everySeconds has none"),
            _label_keys("self.job"),
        ),
    ),
)


def definitions() -> list[Schema]:
    """Every CustomResourceDefinition of the project."""
    return [definition.manifest() for definition in DEFINITIONS]
