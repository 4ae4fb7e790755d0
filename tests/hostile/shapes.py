"""Inputs at their size limit in many shapes, each of which has made some program slow."""

from __future__ import annotations

from typing import Final

LIMIT: Final = 256 * 1024  # bytes of the parameters of a job
SMALL: Final = 63 * 1024  # what a page shows indented
PLAIN: Final = "a long string"
_ROOM: Final = 200


def _filled(piece: str, size: int) -> str:
    """A list of the same piece, up to a size in bytes."""
    return "[" + ",".join([piece] * ((size - 2) // (len(piece.encode()) + 1))) + "]"


def shapes(size: int) -> dict[str, str]:
    """JSON texts of nearly this size in bytes, by what is special in them."""
    room = size - _ROOM
    return {
        "deep": "[" * 60 + _filled("0", room) + "]" * 60,
        "deep objects": '{"a":' * 60 + _filled("0", room - 400) + "}" * 60,
        "wide": _filled("1", room),
        "wide object": "{" + ",".join(f'"k{number:07}":0' for number in range(room // 13)) + "}",
        "a long key": '{"' + "k" * room + '": 1}',
        "a long key above many parts": '{"' + "k" * (room // 2) + '":' + _filled("1", room // 2) + "}",
        "a long string": '["' + "s" * room + '"]',
        "escapes": '["' + "\\u0041" * (room // 6) + '"]',
        "quotation marks": '["' + '\\"' * (room // 2) + '"]',
        "backslashes": '["' + "\\\\" * (room // 2) + '"]',
        "numbers": _filled("-1234567.5e-3", room),
        "Unicode": '["' + "\U0001f600" * (room // 4) + '"]',
        "empty strings": _filled('""', room),
    }


def broken(size: int) -> dict[str, bytes]:
    """Whole bodies of nearly this size in bytes that are no good JSON, or not what anybody wants."""
    room = size - _ROOM
    half = room // 2
    many = ",".join(f'"k{number:07}":0' for number in range(room // 13))
    return {
        "one name many times": b"{" + b",".join([b'"a":1'] * (room // 6)) + b"}",
        "many names, one twice": f'{{{many},"k0000000":1}}'.encode(),
        "one name many times, further in": b'{"a":[' + b",".join([b'{"a":1,"a":1}'] * (room // 14)) + b"]}",
        "escaped names that are the same": b"{" + b",".join([b'"\\u0061":1'] * (room // 11)) + b"}",
        "many unknown names": f"{{{many}}}".encode(),
        "too deep": b"[" * half + b"]" * half,
        "too deep, objects": b'{"a":' * (room // 5),
        "deep and cut": b"[" * room,
        "a cut string": b'{"a":"' + b"s" * room,
        "a cut escape": b'{"a":"' + b"\\u00" * (room // 4) + b"\\u00",
        "lone surrogates": b'{"a":"' + b"\\ud800" * (room // 6) + b'"}',
        "quotation marks alone": b'"' * room,
        "a huge number": b'{"a":' + b"9" * room + b"}",
        "a number of many digits": b'{"a":0.' + b"1" * room + b"e-9}",
        "spaces": b" " * room,
        "spaces inside": b"{" + b" " * room + b'"a":1}',
        "no UTF-8": b'{"a":"' + b"\xff" * room + b'"}',
        "UTF-16": ('{"a":"' + "s" * (half - 10) + '"}').encode("utf-16"),
        "zeros": b"\0" * room,
        "commas": b"[" + b"," * room + b"]",
        "NaN": b"[" + b",".join([b"NaN"] * (room // 4)) + b"]",
    }


def words(size: int) -> dict[str, str]:
    """Values for a query or a form of nearly this size in bytes, encoded as they are sent."""
    return {
        PLAIN: "s" * size,
        "escapes": "%41" * (size // 3),
        "broken escapes": "%" * size,
        "cut escapes": "%4" * (size // 2),
        "Unicode": "%F0%9F%98%80" * (size // 12),
        "no UTF-8": "%FF" * (size // 3),
        "zeros": "%00" * (size // 3),
        "spaces": "+" * size,
        "digits": "9" * size,
        "slashes": "%2F" * (size // 3),
        "dots": "..%2F" * (size // 5),
        "marks": "%22%3C%26" * (size // 9),
        "one word many times": "a-" * (size // 2 - 1) + "a",
    }


def pairs(name: str, size: int) -> dict[str, str]:
    """Whole queries or forms of nearly this size in bytes: a name that is known, and others."""
    found = {f"{kind} in {name}": f"{name}={value}" for kind, value in words(size - len(name) - 1).items()}
    return found | {
        f"{name} many times": "&".join([f"{name}=a"] * (size // (len(name) + 3))),
        f"{name} many times without a value": "&".join([name] * (size // (len(name) + 1))),
        "many unknown names": "&".join(f"k{number}=" for number in range(size // 8)),
        "ampersands": "&" * size,
        "equals signs": "=" * size,
        "semicolons": "a;" * (size // 2),
        "escaped names": "&".join(["%61=%61"] * (size // 8)),
    }


def logs(size: int) -> dict[str, bytes]:
    """Records of a log of nearly this size in bytes."""

    def records(text: bytes) -> bytes:
        line = b"1795000000123 o " + text + b"\n"
        return line * (size // len(line))

    return {
        PLAIN: records(b"s" * 200),
        "one long line": b"1795000000123 o " + b"s" * (size - 20) + b"\n",
        "empty lines": records(b""),
        "colours": records(b"\x1b[31m" * 40),
        "cut colours": records(b"\x1b[" + b"3;" * 100),
        "escape characters": records(b"\x1b" * 200),
        "control characters": records(b"\x01\x7f\x08\x0b" * 50),
        "returns": records(b"a\r" * 100),
        "tags": records(b"<b>&amp;" * 25),
        "links": records(b"http://" * 25),
        "marks of direction": records("\u202e\u2066".encode() * 30),
        "no UTF-8": records(b"\xff\xfe" * 100),
        "unfinished lines": (b"1795000000123 O " + b"s" * 30 + b"\n") * (size // 47),
    }


def tracebacks(size: int) -> dict[str, str]:
    """Texts of errors of nearly this size in characters."""
    return {
        PLAIN: "s" * size,
        "frames": '  File "a.py", line 1, in f\n    g()\n' * (size // 37),
        "control characters": "\x01" * size,
        "lines": "\n" * size,
        "quotation marks": '"' * size,
        "carets": "    ^^^^\n" * (size // 9),
        "Unicode": "\U0001f600" * (size // 4),
    }
