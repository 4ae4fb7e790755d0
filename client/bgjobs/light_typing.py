"""What the runner's modules take from `typing` while they run, without loading it. Type checkers see the real one.

To load `typing` takes a tenth of the runner's start, and each job would pay for it twice. What stands in annotations
alone is imported for type checkers alone. Nothing else is imported here: the runner reads this file while the job's
folder is still where Python looks for modules, and a file there may be named like one of the standard library.
"""

from __future__ import annotations

__all__ = ["TYPE_CHECKING", "NamedTuple", "cast"]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import NamedTuple, cast
else:

    def cast(_kind, value):
        """As that of `typing`."""
        return value

    class NamedTuple(tuple):
        """As that of `typing`, but for classes of one level only; it is made without code that is generated."""

        _fields = ()
        _field_defaults = {}  # noqa: RUF012 - each subclass has its own

        def __init_subclass__(cls):
            cls._fields = cls.__match_args__ = tuple(cls.__annotations__)
            cls._field_defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
            for place, name in enumerate(cls._fields):
                setattr(cls, name, property(lambda self, place=place: self[place]))

        def __new__(cls, *values, **named):
            """Make one of values by place and by name; those that have a default may be left out."""
            found = dict(zip(cls._fields, values, strict=False))
            if len(values) > len(cls._fields) or not found.keys().isdisjoint(named):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            found = {**cls._field_defaults, **found, **named}
            if found.keys() != set(cls._fields):
                wrong = ", ".join(sorted(found.keys() ^ set(cls._fields)))
                raise TypeError(f"{cls.__name__}: missing or unknown: {wrong}")
            return tuple.__new__(cls, [found[name] for name in cls._fields])

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({fields})"

        def _replace(self, **changes):
            return type(self)(**{**dict(zip(self._fields, self, strict=True)), **changes})
