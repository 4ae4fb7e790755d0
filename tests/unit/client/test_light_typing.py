"""The runner's `NamedTuple` is what that of `typing` is, wherever it is used."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from bgjobs import light_typing


class Light(light_typing.NamedTuple):
    first: int
    second: str = "two"
    third: float | None = None

    @property
    def both(self) -> str:
        return f"{self.first} {self.second}"


class Real(typing.NamedTuple):
    first: int
    second: str = "two"
    third: float | None = None

    @property
    def both(self) -> str:
        return f"{self.first} {self.second}"


KINDS: tuple[Any, ...] = (Light, Real)


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_can_do(kind: Any) -> None:
    made = kind(1, third=3.0)

    assert made == (1, "two", 3.0)
    assert (made.first, made.second, made.third, made.both) == (1, "two", 3.0, "1 two")
    assert made._replace(second="zwei") == kind(1, "zwei", 3.0)
    assert repr(made) == f"{kind.__name__}(first=1, second='two', third=3.0)"
    assert tuple in kind.__mro__
    assert hash(made) == hash((1, "two", 3.0))
    assert [*made] == [1, "two", 3.0]
    assert kind.__match_args__ == ("first", "second", "third")
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert (type(again), again) == (kind, made)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, "2", 3.0, 4), {}), ((1,), {"first": 1}), ((1,), {"fourth": 1}), ((), {"second": "2"})],
)
def test_what_it_refuses(kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        kind(*args, **kwargs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_is_not_set(kind: Any) -> None:
    with pytest.raises(AttributeError):
        kind(1).first = 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_field_is_replaced(kind: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        kind(1)._replace(fourth=4)
