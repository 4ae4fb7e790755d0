"""The JSON bodies of holds: what people hold by what it is, by its class, its method and its labels."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bgjobs.ids import new_job_id
from bgjobs.job_spec import CODE_PATTERN, LabelName, Labels
from bgjobs.wire import JobId, Note

_LONGEST_SECONDS = 366 * 86400


def _names_code(text: str) -> str:
    if not re.fullmatch(CODE_PATTERN, text, re.ASCII):
        raise ValueError(
            "must be a class as shop.jobs.Mail, a method of it as shop.jobs.Mail.send, or what is in a class or a "
            f"package as shop.jobs.*, and not {text!r}"
        )
    if "__main__" in text.split("."):
        raise ValueError("names __main__, which is a program, and no job is of one")
    return text


class PutHoldRequest(BaseModel):
    """The body of `POST /api/v1/holds`.

    The same id with the same content means the same hold; with other content it is a conflict (409).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: JobId = Field(
        default_factory=new_job_id, description="a UUID of version 7, made by the client; if absent, a new one"
    )
    namespace: LabelName = Field(description="of the jobs that are held")
    cls: Annotated[str, StringConstraints(max_length=253), AfterValidator(_names_code)] | None = Field(
        default=None,
        validation_alias="class",
        serialization_alias="class",
        description="a class, as `shop.jobs.Mail`; a method of it, as `shop.jobs.Mail.send`; or what is in a class or "
        "a package, as `shop.jobs.*`; if absent, any",
    )
    labels: Labels = Field(
        default_factory=dict[str, str], description="labels that the jobs have; if there are several, all of them"
    )
    note: Note | None = Field(default=None, description="why, for people who look at it later")
    for_seconds: float | None = Field(
        default=None,
        gt=0,
        le=_LONGEST_SECONDS,
        allow_inf_nan=False,
        description="after how many seconds it is over; if absent, when somebody releases it",
    )

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.cls is None and not self.labels:
            raise ValueError("a hold needs a class or a label; to hold all jobs of a queue, pause the queue")
        return self


class Hold(BaseModel):
    """Which jobs are held by what they are, by whom, why and until when."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)  # a newer server may send more fields

    id: str
    namespace: str
    cls: str | None = Field(
        default=None,
        validation_alias="class",
        serialization_alias="class",
        description="of this class or method, or what is in it; null: of any",
    )
    labels: dict[str, str] = Field(description="with all of these labels")
    note: str | None = Field(default=None, description="why, in the words of whoever wants it")
    who: str = Field(description="who wants it")
    at: datetime = Field(description="since when")
    until: datetime | None = Field(default=None, description="when it is over; null: when somebody releases it")

    @property
    def what(self) -> str:
        """Which jobs, as `of shop.jobs.Mail.* with the label customer=8841`."""
        labels = ", ".join(f"{key}={value}" for key, value in self.labels.items())
        with_labels = f"with the label{'s' if len(self.labels) > 1 else ''} {labels}" if labels else ""
        return " ".join(part for part in (f"of {self.cls}" if self.cls else "", with_labels) if part)


class HoldList(BaseModel):
    """The holds of the namespaces whose jobs the caller may list, the oldest of each namespace first."""

    items: list[Hold]
