"""Whether a call fits is told as Python itself tells it when the call is made."""

from __future__ import annotations

import functools
import itertools
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest

from bgjobs.calls import UnfitCallError, check_arguments, check_call, check_function

if TYPE_CHECKING:
    import types
    from collections.abc import Callable
    from pathlib import Path


def nothing() -> None: ...
def two(a: int, b: int) -> None: ...
def optional(a: int, b: int = 2) -> None: ...
def all_optional(a: int = 1, b: int = 2) -> None: ...
def only_by_place(a: int, /, b: int) -> None: ...
def only_by_place_and_any_name(a: int, /, **c: int) -> None: ...
def only_by_name(a: int, *, b: int) -> None: ...
def optional_by_name(a: int, *, b: int = 2, c: int) -> None: ...
def any_place(a: int, *b: int) -> None: ...
def any_name(a: int, **b: int) -> None: ...
def anything(*a: int, **b: int) -> None: ...
def all_kinds(a: int, /, b: int = 2, *c: int, d: int, e: int = 5, **f: int) -> None: ...


FUNCTIONS = [
    nothing, two, optional, all_optional, only_by_place, only_by_place_and_any_name, only_by_name, optional_by_name,
    any_place, any_name, anything, all_kinds,
]  # fmt: skip
NAMES: tuple[str, ...] = ("a", "b", "c", "d")
CALLS: list[tuple[tuple[int, ...], dict[str, int]]] = [
    ((1,) * places, dict.fromkeys(names, 1))
    for places in range(4)
    for many in range(4)
    for names in itertools.combinations(NAMES, many)
]


def is_fit(check: Callable[[], None]) -> bool:
    try:
        check()
    except UnfitCallError:
        return False
    return True


def can_be_called(function: Any, args: tuple[int, ...], kwargs: dict[str, int]) -> bool:
    try:
        function(*args, **kwargs)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__name__)
def test_functions(function: types.FunctionType) -> None:
    for args, kwargs in CALLS:
        found = is_fit(lambda args=args, kwargs=kwargs: check_arguments("it", function, (), args, kwargs))

        assert found == can_be_called(function, args, kwargs), (args, kwargs)


class Plain:
    def run(self) -> None: ...


class WantsMore(Plain):
    def __init__(self, more: int) -> None: ...


class WantsMoreToBeMade(Plain):
    def __new__(cls, _more: int) -> Self:
        return super().__new__(cls)


class MayWantMore(Plain):
    def __init__(self, more: int = 1, *rest: int, **others: int) -> None: ...


class MadeByAPartOfIt(Plain):
    def _made(self, more: int, other: int) -> None: ...

    __init__: Any = functools.partialmethod(_made, 1)


class MadeByAllOfIt(Plain):
    def _made(self, more: int) -> None: ...

    __init__: Any = functools.partialmethod(_made, 1)


class Meta(type):
    def __call__(cls) -> Any:
        return super().__call__(1)


class MadeByAnother(WantsMore, metaclass=Meta):
    pass


class Texts(dict[str, str]):
    def run(self) -> None: ...


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        (Plain, True),
        (WantsMore, False),
        (WantsMoreToBeMade, False),
        (MayWantMore, True),
        (MadeByAPartOfIt, False),
        (MadeByAllOfIt, True),
        (MadeByAnother, True),
        (Texts, True),
    ],
)
def test_classes(kind: type, fits: bool) -> None:
    assert is_fit(lambda: check_call(kind, "run", [])) is fits


def test_a_decorated_function_has_the_signature_of_what_it_wraps() -> None:
    @functools.wraps(two)
    def wrapper(*args: int, **kwargs: int) -> None:
        two(*args, **kwargs)

    check_function("it", wrapper, [1, 2])  # pyright: ignore[reportArgumentType]
    with pytest.raises(UnfitCallError, match="missing a required argument: 'b'"):
        check_function("it", wrapper, [1])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("code", ["class", "from inspect import signature", "raise RuntimeError('of the job')"])
def test_a_module_of_the_job_that_is_named_like_what_the_check_needs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inspect.py").write_text(code, encoding="ascii")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "inspect")

    check_call(WantsMore, "run", [])  # only the call itself can show that it does not fit
