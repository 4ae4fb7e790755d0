"""Parameters at their size limit in twelve shapes, each of which has made some program slow."""

from __future__ import annotations

from typing import Final

LIMIT: Final = 256 * 1024  # bytes of the parameters of a job
SMALL: Final = 63 * 1024  # what a page shows indented


def _filled(piece: str, size: int) -> str:
    """A list of the same piece, up to a size in bytes."""
    return "[" + ",".join([piece] * ((size - 2) // (len(piece.encode()) + 1))) + "]"


def shapes(size: int) -> dict[str, str]:
    """JSON texts of nearly this size in bytes, by what is special in them."""
    room = size - 200
    return {
        "deep": "[" * 60 + _filled("0", room) + "]" * 60,
        "deep objects": '{"a":' * 60 + _filled("0", room - 400) + "}" * 60,
        "wide": _filled("1", room),
        "wide object": "{" + ",".join(f'"k{number}":0' for number in range(room // 11)) + "}",
        "a long key": '{"' + "k" * room + '": 1}',
        "a long string": '["' + "s" * room + '"]',
        "escapes": '["' + "\\u0041" * (room // 6) + '"]',
        "quotation marks": '["' + '\\"' * (room // 2) + '"]',
        "backslashes": '["' + "\\\\" * (room // 2) + '"]',
        "numbers": _filled("-1234567.5e-3", room),
        "Unicode": '["' + "\U0001f600" * (room // 4) + '"]',
        "empty strings": _filled('""', room),
    }


PLAIN: Final = "a long string"
