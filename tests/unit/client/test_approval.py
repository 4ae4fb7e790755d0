"""Which code a queue approves: the class that is named, and the class that defines the method."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from bgjobs.runner.call_outcome import run_call

if TYPE_CHECKING:
    from pathlib import Path

ALL = ["shop.*"]


def module(monkeypatch: pytest.MonkeyPatch, name: str, **classes: type) -> None:
    """A module of an application, with these classes at home in it."""
    made = types.ModuleType(name)
    for given, cls in classes.items():
        cls.__module__ = name
        cls.__qualname__ = given
        setattr(made, given, cls)
    monkeypatch.setitem(sys.modules, name, made)


class Base:
    def inherited(self) -> str:
        return "of the base"

    @classmethod
    def of_class(cls) -> str:
        return "of the base's class"

    @staticmethod
    def static() -> str:
        return "of the base, static"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """`shop.jobs.Own` inherits from `shop.base.Near`, and that from `other.base.Far`; `Model` is one of pydantic."""
    far = type("Far", (Base,), {name: vars(Base)[name] for name in ("inherited", "of_class", "static")})

    class Near(far):  # type: ignore[misc, valid-type]
        def near(self) -> str:
            return "near"

    class Own(Near):
        def own(self) -> str:
            return "own"

        def calls_it(self) -> str:
            return self.inherited()

        def overridden(self) -> str:
            return "own"

    class Model(BaseModel):
        password: str = "of the queue's Secret"

    class Table(dict[str, int]):
        def size(self) -> int:
            return len(self)

    def render(number: int = 1) -> str:
        return f"rendered {number}"

    def of_a_library() -> str:
        return "of a library"

    render.__module__ = "shop.jobs"
    of_a_library.__module__ = "other.base"
    module(monkeypatch, "shop")
    module(monkeypatch, "other.base", Far=far)
    module(monkeypatch, "shop.base", Near=Near)
    module(monkeypatch, "shop.jobs", Own=Own, Model=Model, Table=Table)
    monkeypatch.setattr(sys.modules["shop.jobs"], "Far", far, raising=False)
    for function in (render, of_a_library, os.getcwd):
        monkeypatch.setattr(sys.modules["shop.jobs"], function.__name__, function, raising=False)
        monkeypatch.setattr(sys.modules["shop.base"], function.__name__, function, raising=False)


def run(name: str, method: str, approved: list[str], parameters: Any = ()) -> tuple[str, str]:
    ended = run_call(name, approved, method, parameters)
    return str(ended.outcome), str(ended.error["message"]) if ended.error else str(ended.result)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("method", "approved", "value"),
    [
        ("own", ALL, "own"),
        ("own", ["shop.jobs.Own"], "own"),
        ("near", ALL, "near"),
        ("near", ["shop.jobs.Own", "shop.base.Near"], "near"),
        ("inherited", [*ALL, "other.base.Far"], "of the base"),
        ("static", [*ALL, "other.*"], "of the base, static"),
        # What the own code does with what it inherits was looked at.
        ("calls_it", ALL, "of the base"),
    ],
)
def test_what_may_be_called(method: str, approved: list[str], value: str) -> None:
    assert run("shop.jobs.Own", method, approved) == ("succeeded", value)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("name", "method", "approved", "words"),
    [
        ("shop.jobs.Own", "near", ["shop.jobs.*"], "is defined by shop.base.Near, which is not among"),
        ("shop.jobs.Own", "inherited", ALL, "add other.base.Far to its approvedClasses"),
        ("shop.jobs.Own", "of_class", ALL, "add other.base.Far to its approvedClasses"),
        ("shop.jobs.Own", "static", ALL, "add other.base.Far to its approvedClasses"),
        ("shop.jobs.Model", "model_dump", ALL, "is defined by pydantic.main.BaseModel"),
        ("shop.jobs.Model", "parse_raw", ALL, "is defined by pydantic.main.BaseModel"),
        ("shop.jobs.Model", "model_dump", ["shop.jobs.Model"], "is defined by pydantic.main.BaseModel"),
        ("shop.jobs.Table", "update", ALL, "is a method of builtins.dict, which is written in C"),
        ("shop.jobs.Table", "fromkeys", ALL, "is a method of builtins.dict, which is written in C"),
        ("shop.jobs.Table", "update", [*ALL, "builtins.dict"], "is a method of builtins.dict, which is written in C"),
        ("shop.jobs.Far", "inherited", ALL, "another name of other.base.Far"),
    ],
)
def test_what_may_not(name: str, method: str, approved: list[str], words: str) -> None:
    outcome, said = run(name, method, approved)
    assert outcome == "rejected"
    assert words in said


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("name", "method", "approved"),
    [
        ("shop.jobs", "render", ALL),
        ("shop.jobs", "render", ["shop.jobs"]),
        # Another module of the application has imported it.
        ("shop.base", "render", ALL),
        ("shop.base", "render", ["shop.base", "shop.jobs"]),
    ],
)
def test_which_function_may_be_called(name: str, method: str, approved: list[str]) -> None:
    assert run(name, method, approved, [2]) == ("succeeded", "rendered 2")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("name", "method", "approved", "words"),
    [
        # The classes of a module are approved, and the module itself is not.
        ("shop.jobs", "render", ["shop.jobs.*"], "shop.jobs is not among the approved classes"),
        ("shop.jobs", "render", ["shop.jobs.render"], "shop.jobs is not among the approved classes"),
        ("shop.jobs", "render", ["*"], "shop.jobs is not among the approved classes"),
        ("shop.base", "render", ["shop.base"], "is defined by the module shop.jobs, which is not among the approved"),
        ("shop.jobs", "of_a_library", ALL, "is defined by the module other.base, which is not among the approved"),
        ("shop.jobs", "of_a_library", ["shop.jobs"], "add other.base to its approvedClasses, or call it in a function"),
        ("shop.jobs", "getcwd", [*ALL, "posix"], "shop.jobs.getcwd is written in C, so nobody can approve it"),
        ("shop.jobs", "Own", ALL, "shop.jobs.Own is a class; call one of its methods"),
        ("shop.__main__", "main", ALL, "shop.__main__ belongs to a program"),
    ],
)
def test_which_function_may_not(name: str, method: str, approved: list[str], words: str) -> None:
    outcome, said = run(name, method, approved)
    assert outcome == "rejected"
    assert words in said


@pytest.mark.usefixtures("shop")
def test_a_class_that_is_approved_by_its_name_may_come_from_elsewhere() -> None:
    assert run("shop.jobs.Far", "inherited", ["shop.jobs.Far"]) == ("succeeded", "of the base")


@pytest.mark.usefixtures("shop")
def test_a_method_of_the_own_class_beside_one_that_is_written_in_c() -> None:
    assert run("shop.jobs.Table", "size", ALL) == ("succeeded", "0")


@pytest.mark.parametrize("approved", [["tool.*"], ["tool.__main__.*"], ["tool.__main__.Runs"]], ids=str)
def test_a_program_is_not_even_imported(tmp_path: Path, approved: list[str]) -> None:
    """`package.*` must not mean its `__main__`, which does what it does when it is imported."""
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool/__init__.py").touch()
    (tmp_path / "tool/__main__.py").write_text("print('it runs')\nclass Runs:\n    def now(self): print('it runs')\n")
    code = (
        "from bgjobs.runner.call_outcome import run_call\n"
        f"print(run_call('tool.__main__.Runs', {approved!r}, 'now', []).error['message'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "belongs to a program" in done.stdout
    assert "it runs" not in done.stdout
