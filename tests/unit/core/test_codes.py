"""Every error of an action has a code and a kind."""

from __future__ import annotations

import re

import pytest

from bgjobs_core.actions import errors
from bgjobs_core.actions.codes import Kind, code_of, kind_of
from bgjobs_core.actions.errors import ActionError, BatchRefusedError, IdTakenError, NotAdmittedError, OneOfManyError
from bgjobs_core.jobs.admission import NotAdmitted

KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ActionError)]
OWN = {ActionError, NotAdmittedError, BatchRefusedError, OneOfManyError}  # the base, and those that carry their code


@pytest.mark.parametrize("kind", [one for one in KINDS if one not in OWN])
def test_each_has_one(kind: type[ActionError]) -> None:
    error = kind.__new__(kind)
    assert re.fullmatch("[a-z]+(_[a-z]+)*", code_of(error))
    assert kind_of(error) in Kind


def test_some_carry_it() -> None:
    taken = IdTakenError("0192f0c1-2a3b-7c4d-8e5f-001122334455")
    assert code_of(taken) == "id_taken"
    assert code_of(OneOfManyError(3, taken)) == "id_taken"
    assert code_of(BatchRefusedError("id", "batch_closed")) == "batch_closed"
    assert code_of(NotAdmittedError(NotAdmitted("class", "class_not_approved", "no"))) == "class_not_approved"


def test_one_of_many_is_of_the_kind_of_its_own() -> None:
    refused = NotAdmittedError(NotAdmitted("class", "class_not_approved", "no"))
    assert kind_of(OneOfManyError(3, refused)) is Kind.INVALID
    assert kind_of(BatchRefusedError("id", "batch_closed")) is Kind.CONFLICT
