"""Whether the code that a call names is what a queue approves: decided here alone.

The API asks before a job is stored, and the runner before it is run: in a pod, in local mode and in tests. Approved are
a class, and the class that defines the method. A class of the application inherits from others, and a method that one
of these has, such as `parse_raw` of a model that reads pickles, is not what the queue's owner has looked at. For a
function, which is called by the name of its module, that module is approved, and the module that defines the function:
what a module has imported from elsewhere is not its own.
"""

from __future__ import annotations

import types

from bgjobs.calls import UnfitCallError
from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

# To import it is to run the program that it begins, with whatever that does by itself.
_PROGRAM: Final = "__main__"
_HEAP_TYPE: Final = 1 << 9  # `Py_TPFLAGS_HEAPTYPE`: what a class statement makes, and few types that are written in C
_WRITTEN_IN_C: Final = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.BuiltinFunctionType,
)


def is_approved(name: str, approved: Sequence[str]) -> bool:
    """Whether a queue approves a class or a module: by its exact name, or by a pattern such as `package.*`.

    The pattern `*` alone approves nothing, and no pattern approves what is in a `__main__`.
    """
    if _PROGRAM in name.split("."):
        return False
    return name in approved or any(
        name.startswith(pattern[:-1]) for pattern in approved if pattern.endswith(".*") and len(pattern) > len(".*")
    )


def check_name(name: str, approved: Sequence[str]) -> None:
    """Check the name of a class, or of the module of a function, before anything is imported.

    Raises:
        UnfitCallError: if the queue does not approve it.
    """
    if _PROGRAM in name.split("."):
        raise UnfitCallError(
            f"{name} belongs to a program, which runs when it is imported, so no queue can approve it; move the job's "
            "code into another module",
            "class",
        )
    if not is_approved(name, approved):
        raise UnfitCallError(f"{name} is not among the approved classes of the queue", "class")


def check_home(name: str, cls: type, approved: Sequence[str]) -> None:
    """Check that a class was not only imported into an approved module: `app.*` approves what the application wrote.

    Args:
        name: by which it was found.
        cls: the class.
        approved: the queue's approved classes, exact names or patterns.

    Raises:
        UnfitCallError: if it is at home elsewhere, and neither name nor home is approved as such.
    """
    home = _home(cls)
    if name not in approved and not is_approved(home, approved):
        raise UnfitCallError(
            f"{name} is another name of {home}, which is not among the approved classes of the queue", "class"
        )


def check_method(cls: type, method: str, approved: Sequence[str]) -> None:
    """Check that the class which defines a method is approved as well. A method that is not there passes.

    Args:
        cls: an approved class.
        method: the name of the method.
        approved: the queue's approved classes, exact names or patterns.

    Raises:
        UnfitCallError: if it is not, or if the method belongs to a type that is written in C.
    """
    owner = next((base for base in cls.__mro__ if method in vars(base)), None)
    if owner is None or owner is object:
        return
    name, home = f"{_home(cls)}.{method}", _home(owner)
    member: object = vars(owner)[method]
    if not owner.__flags__ & _HEAP_TYPE or (owner is not cls and isinstance(member, _WRITTEN_IN_C)):
        raise UnfitCallError(
            f"{name} is a method of {home}, which is written in C, so nobody can approve it; call it in a method of "
            "your own class",
            "method",
        )
    if owner is not cls and not is_approved(home, approved):
        raise UnfitCallError(
            f"{name} is defined by {home}, which is not among the approved classes of the queue; add {home} to its "
            "approvedClasses, or call it in a method of your own class",
            "method",
        )


def check_function(name: str, function: types.FunctionType, approved: Sequence[str]) -> None:
    """Check that the module which defines a function is approved: one that it has only imported is not enough.

    Args:
        name: by which the function was found.
        function: in an approved module.
        approved: the queue's approved classes, exact names or patterns.

    Raises:
        UnfitCallError: if it is not.
    """
    home = str(function.__module__)
    if not is_approved(home, approved):
        raise UnfitCallError(
            f"{name} is defined by the module {home}, which is not among the approved classes of the queue; add "
            f"{home} to its approvedClasses, or call it in a function of your own",
            "method",
        )


def _home(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
