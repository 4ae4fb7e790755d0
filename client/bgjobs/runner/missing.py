"""Says what is wrong with the name of a class or a module that was not found: which part of it, and why."""

from __future__ import annotations

import contextlib
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

from bgjobs.calls import near

if TYPE_CHECKING:
    from collections.abc import Iterable


def module_in_words(name: str, missing: str) -> str:
    """What to say of a name that leads through a module which is not there.

    Args:
        name: of the class or module that was asked for.
        missing: that part of it, from its beginning on, which is no module.
    """
    parent, _, last = missing.rpartition(".")
    holder = sys.modules.get(parent)
    if holder is None:
        return (
            f"{name} cannot be found, because there is no module {missing}; is your package in the job's image, or in "
            "the folder of bgjobs dev?"
        )
    found: object = getattr(holder, last, None)
    rest = name[len(missing) + 1 :]
    if isinstance(found, type):
        return _in_a_class(missing, found, rest)
    if isinstance(found, types.FunctionType):
        return _is_a_function(missing)
    if found is not None:
        return f"{name} cannot be found, because {missing} is of type {type(found).__name__}, and no module or class"
    return f"{name} cannot be found, because there is no module {missing}{near(last, _modules(holder))}"


def class_in_words(module: types.ModuleType, last: str) -> str:
    """What to say of a module that has neither a class nor a module of this name.

    Args:
        module: that was found.
        last: the last part of the name that was asked for.
    """
    name = f"{module.__name__}.{last}"
    found: object = getattr(module, last, None)
    if isinstance(found, types.FunctionType):
        return _is_a_function(name)
    if isinstance(found, types.ModuleType):
        return f"{name} is another name of the module {found.__name__}; ask for that one"
    if found is not None:
        return f"{name} is of type {type(found).__name__}, and not a class"
    classes = [one for one, value in vars(module).items() if isinstance(value, type)]
    nor = ", and no module of that name" if hasattr(module, "__path__") else ""
    return f"{module.__name__} has no class {last}{nor}{near(last, [*classes, *_modules(module)])}"


def _in_a_class(outer: str, cls: type, rest: str) -> str:
    part = rest.partition(".")[0]
    inner: object = getattr(cls, part, None)
    if isinstance(inner, type):
        return (
            f"{outer}.{rest} cannot be a job, because {part} is nested in the class {outer}; move it to the top level "
            "of its module"
        )
    if callable(inner):
        return f"{outer}.{part} is a method and not a class; the class is {outer}, and the method {part}"
    return f"{outer} is a class and not a module, and has no class {part}"


def _is_a_function(name: str) -> str:
    module, _, last = name.rpartition(".")
    return f"{name} is a function and not a class; to run it, name its module: the class is {module}, the method {last}"


def _modules(package: types.ModuleType) -> Iterable[str]:
    """The modules in a package, and the packages, which need no `__init__.py`."""
    found: list[str] = []
    for folder in map(Path, getattr(package, "__path__", ())):
        with contextlib.suppress(OSError):  # a zip file, for example
            found += [one.stem for one in folder.iterdir() if one.suffix == ".py" or one.is_dir()]
    return [name for name in found if name.isidentifier()]
