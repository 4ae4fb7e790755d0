"""Every error of an action has a code."""

from __future__ import annotations

import re

import pytest

from bgjobs_core.actions import errors
from bgjobs_core.actions.codes import code_of
from bgjobs_core.actions.errors import ActionError, BatchRefusedError, IdTakenError, NotAdmittedError, OneOfManyError
from bgjobs_core.jobs.admission import NotAdmitted

KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ActionError)]
OWN = {ActionError, NotAdmittedError, BatchRefusedError, OneOfManyError}  # the base, and those that carry their code


@pytest.mark.parametrize("kind", [one for one in KINDS if one not in OWN])
def test_each_has_one(kind: type[ActionError]) -> None:
    assert re.fullmatch("[a-z]+(_[a-z]+)*", code_of(kind.__new__(kind)))


def test_some_carry_it() -> None:
    taken = IdTakenError("0192f0c1-2a3b-7c4d-8e5f-001122334455")
    assert code_of(taken) == "id_taken"
    assert code_of(OneOfManyError(3, taken)) == "id_taken"
    assert code_of(BatchRefusedError("id", "batch_closed")) == "batch_closed"
    assert code_of(NotAdmittedError(NotAdmitted("class", "class_not_approved", "no"))) == "class_not_approved"
