"""JSON as RFC 8259 has it, checked once at each edge."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgjobs.protocol import MAX_JSON_BYTES, MAX_JSON_DEPTH
from bgjobs.strict_json import NotJSONError, dumps, loads

# ----------------------------------------------------------------------------------- text
GOOD_TEXTS: dict[str, tuple[str, Any]] = {
    "empty list": ("[]", []),
    "empty object": ("{}", {}),
    "null": ("null", None),
    "booleans": ("[true,false]", [True, False]),
    "largest integer": (str(2**63 - 1), 2**63 - 1),
    "smallest integer": (str(-(2**63)), -(2**63)),
    "beyond doubles": ("9007199254740993", 9007199254740993),
    "floats": ("[0.5,1e300,-0.0,1E+2]", [0.5, 1e300, -0.0, 100.0]),
    "white space": (" \t\r\n[ 1 , 2 ] \n", [1, 2]),
    "escapes": (r'"\u00e9\n\"\\\/"', 'é\n"\\/'),
    "surrogate pair": (r'"\ud83e\udd86"', "🦆"),
    "raw unicode": ('"日本🦆"', "日本🦆"),
    "equal keys in two objects": ('[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
    "empty key": ('{"":1}', {"": 1}),
    "deepest": ("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH, None),
    "as large as allowed": (json.dumps("x" * (MAX_JSON_BYTES - 2)), "x" * (MAX_JSON_BYTES - 2)),
}


@pytest.mark.parametrize(("text", "value"), GOOD_TEXTS.values(), ids=GOOD_TEXTS)
def test_what_is_read(text: str, value: object) -> None:
    assert loads(text) == loads(text.encode())
    if value is not None:
        assert loads(text) == value


BAD_TEXTS: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "not JSON"),
    "NaN": ("[NaN]", "NaN is not JSON"),
    "Infinity": ("Infinity", "Infinity is not JSON"),
    "minus Infinity": ("[-Infinity]", "-Infinity is not JSON"),
    "float beyond doubles": ("1e400", "is inf"),
    "integer beyond 64 bits": (str(2**63), "beyond 64 bits"),
    "negative beyond 64 bits": (f'{{"a":[{-(2**63) - 1}]}}', r"value\.a\[0\] is an integer beyond 64 bits"),
    "integer of 5,000 digits": ("9" * 5000, "not JSON"),
    "equal keys": ('{"a":1,"b":2,"a":3}', "key 'a' appears twice"),
    "equal keys, escaped": (r'{"a":1,"\u0061":2}', "key 'a' appears twice"),
    "lone surrogate": (r'["\ud800"]', r"value\[0\] holds a lone surrogate"),
    "lone surrogate in a key": (r'{"\udc00":1}', "lone surrogate"),
    "single quotes": ("['a']", "not JSON"),
    "comma at the end": ("[1,]", "not JSON"),
    "comment": ("[1] // one", "not JSON"),
    "two values": ("[1] [2]", "not JSON"),
    "unquoted key": ("{a:1}", "not JSON"),
    "leading zero": ("[01]", "not JSON"),
    "hexadecimal": ("[0x10]", "not JSON"),
    "plus sign": ("[+1]", "not JSON"),
    "bare point": ("[.5]", "not JSON"),
    "raw line end in a string": ('"a\nb"', "not JSON"),
    "bad escape": (r'"\x41"', "not JSON"),
    "python": ("None", "not JSON"),
    "cut off": ('{"a":[1', "not JSON"),
    "not UTF-8": (b'"\xff"', "not JSON"),
    "byte order mark": ("\ufeff[]", "not JSON"),
    "one level too deep": ("[" * (MAX_JSON_DEPTH + 1) + "]" * (MAX_JSON_DEPTH + 1), "nested deeper than 64"),
    "far too deep": ("[" * 100_000 + "]" * 100_000, "nested deeper than 64"),
    "too large": (json.dumps("x" * MAX_JSON_BYTES), "at most 262,144"),
    "too large in UTF-8": (f'"{"é" * (MAX_JSON_BYTES // 2)}"', "at most 262,144"),
}


@pytest.mark.parametrize(("text", "words"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_what_is_not_read_and_why(text: str | bytes, words: str) -> None:
    with pytest.raises(NotJSONError, match=words):
        loads(text)


def test_the_message_begins_with_what_it_is_about() -> None:
    with pytest.raises(NotJSONError, match=r"^parameters is not JSON: "):
        loads("[", "parameters")
    with pytest.raises(NotJSONError, match=r"^result takes 12 bytes as JSON; at most 5 are allowed$"):
        dumps("1234567890", "result", limit=5)


# --------------------------------------------------------------------------------- values
class _Text(str):
    __slots__ = ()


GOOD_VALUES: dict[str, tuple[Any, str]] = {
    "compact": ({"a": [1, 2.5, None, True]}, '{"a":[1,2.5,null,true]}'),
    "tuple": ((1, (2,)), "[1,[2]]"),
    "raw unicode": ("日本", '"日本"'),
    "line separators": ("\u2028\x7f", '"\u2028\x7f"'),
    "controls": ("\x00\n", r'"\u0000\n"'),
    "subclass of str": (_Text("a"), '"a"'),
    "order is kept": ({"b": 1, "a": 2}, '{"b":1,"a":2}'),
    "64 bits": ([2**63 - 1, -(2**63)], "[9223372036854775807,-9223372036854775808]"),
}


@pytest.mark.parametrize(("value", "text"), GOOD_VALUES.values(), ids=GOOD_VALUES)
def test_what_is_written(value: object, text: str) -> None:
    assert dumps(value) == text


_OWN: Final[list[object]] = []
_OWN.append(_OWN)

BAD_VALUES: dict[str, tuple[Any, str]] = {
    "not a number": (float("nan"), "value is nan"),
    "infinity": ([1, float("-inf")], r"value\[1\] is -inf"),
    "bytes": ({"a": b"x"}, r"value\.a is a bytes"),
    "set": ([{1}], r"value\[0\] is a set"),
    "object": (object(), "value is a object"),
    "key is an integer": ({1: 2}, "value has the key 1; JSON keys are strings"),
    "key is None": ({"a": {None: 2}}, r"value\.a has the key None"),
    "too many bits": (2**63, "beyond 64 bits"),
    "lone surrogate": (["\ud800"], "lone surrogate"),
    "lone surrogate in a key": ({"\ud800": 1}, "lone surrogate"),
    "holds itself": (_OWN, "nested deeper than 64"),
    "too large": ("x" * MAX_JSON_BYTES, "at most 262,144"),
    "generator": ((n for n in ()), "value is a generator"),
    "complex": (1j, "value is a complex"),
}


@pytest.mark.parametrize(("value", "words"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_what_is_not_written_and_why(value: object, words: str) -> None:
    with pytest.raises(NotJSONError, match=words):
        dumps(value)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_json)
def test_what_is_written_can_be_read(value: object) -> None:
    assert loads(dumps(value)) == value


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused_in_our_words(text: str | bytes) -> None:
    try:
        value = loads(text)
    except NotJSONError:
        return
    assert loads(dumps(value)) == value


def test_a_key_that_appears_twice_among_very_many_is_found_in_one_pass() -> None:
    """With a pass for each key this would take hours."""
    many = ",".join(f'"k{number}":0' for number in range(400_000))

    with pytest.raises(NotJSONError, match="the key 'k399999' appears twice"):
        loads(f'{{{many},"k399999":1}}', "parameters", limit=2**23)


def test_of_a_long_key_the_message_has_the_beginning() -> None:
    """It was also written out for each part below it, whether or not there was a message."""
    with pytest.raises(NotJSONError) as caught:
        dumps({"k" * 100_000: [1, float("nan")]}, "parameters")
    assert str(caught.value) == f"parameters.{'k' * 200}...[1] is nan, which JSON cannot carry"
