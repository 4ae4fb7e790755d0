"""Reads from the words on a command line which method is to be called, and with which parameters."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgjobs import strict_json
from bgjobs.cli.exits import UsageError
from bgjobs.retry_rules import RetryPolicy, policy_of_call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PRIORITIES: Final = {"0": 0, "low": 0, "1": 1, "high": 1}


class Call(NamedTuple):
    """The call `class_name().method(...)`.

    Attributes:
        class_name: the dotted name of the class.
        method: the name of the method.
        parameters: the parameters as they were typed; None: none were typed here.
    """

    class_name: str
    method: str
    parameters: str | None


def call(words: Sequence[str | None]) -> Call:
    """Read a call that was typed as `CLASS METHOD [PARAMETERS]` or as `CLASS.METHOD [PARAMETERS]`.

    Raises:
        UsageError: if no method is named.
    """
    given = [word for word in words if word is not None]
    if len(given) > 1 and _NAME.fullmatch(given[1]):
        return Call(given[0], given[1], given[2] if len(given) > 2 else None)  # noqa: PLR2004 - CLASS, METHOD
    class_name, _, method = given[0].rpartition(".")
    if class_name and "." not in class_name and method and not method[0].isupper():
        raise UsageError(
            f"{given[0]} is neither a method of a class, as shop.jobs.Invoices.render, nor a function of a module in a "
            "package, as shop.jobs.render"
        )
    # `shop.jobs.Invoices` alone looks like a class, by the usual spelling; then the method was forgotten.
    if "." not in class_name or not method or method[0].isupper() or len(given) > 2:  # noqa: PLR2004 - as above
        raise UsageError(
            f"no method of {given[0]} is named: give one, as in `bgjobs run shop.jobs.Invoices render '[2026, 11]'`; "
            "parameters are JSON"
        )
    return Call(class_name, method, given[1] if len(given) > 1 else None)


def parameters(
    text: str | None, file: str | None, named: Sequence[str], positional: Sequence[str], stdin: Callable[[], bytes]
) -> list[Any] | dict[str, Any]:
    """The parameters of a call. There are four ways to give them, of which a user may use one or none.

    Args:
        text: PARAMETERS: a list or an object as JSON.
        file: `--parameters-file`: a file with such JSON; `-` is standard input.
        named: `-p`: each is `key=value`, where the value is taken as JSON if it is that, else as text.
        positional: `-a`: each is a value, which is read in the same way.
        stdin: reads all of standard input.

    Raises:
        UsageError: if more than one way was used, or if the JSON is wrong or neither list nor object.
    """
    ways = [
        name
        for name, used in (
            ("PARAMETERS", text is not None),
            ("--parameters-file", file is not None),
            ("-p", bool(named)),
            ("-a", bool(positional)),
        )
        if used
    ]
    if len(ways) > 1:
        raise UsageError(f"parameters can be given in one way only, and not by {' and '.join(ways)}")
    if named:
        return _named(named)
    if text is None and file is None:
        return [_value(one) for one in positional]
    try:
        # Editors of Windows put a mark in front, which says that it is UTF-8.
        value = strict_json.loads(_content(text, file, stdin).removeprefix(codecs.BOM_UTF8.decode()), "parameters")
    except strict_json.NotJSONError as error:
        raise UsageError(
            f"{error}; give a list or an object, for example '[2026, 11]' or '{{\"year\": 2026}}'"
        ) from error
    if not isinstance(value, (list, dict)):
        raise UsageError(f"parameters are a list or an object, not {text or file}; for one value use `-a {text or ''}`")
    return value  # pyright: ignore[reportUnknownVariableType] - JSON


def priority(text: str) -> int:
    """The priority that was typed as `low`, `high`, `0` or `1`: 0 or 1.

    Raises:
        UsageError: if it is another word.
    """
    try:
        return _PRIORITIES[text.lower()]
    except KeyError:
        raise UsageError(f"--priority must be low or 0, or high or 1, and not {text!r}") from None


def labels(pairs: Sequence[str]) -> dict[str, str]:
    """The labels that were typed as `--label key=value`, one each.

    Raises:
        UsageError: if one has no `=`, or if two have the same key.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or key in found:
            raise UsageError(f"--label must look like team=billing, with each key once, and not {pair!r}")
        found[key] = value
    return found


def retry(
    retry_on: Sequence[str], abort_on: Sequence[str], backoff: float | None, cap: float | None
) -> RetryPolicy | None:
    """The rules that `--retry-on`, `--abort-on`, `--backoff` and `--backoff-cap` say; None if none of them is given.

    Raises:
        UsageError: if one of them is no rule.
    """
    said = {
        "retry_on": list(retry_on) or None,
        "abort_on": list(abort_on) or None,
        "backoff_seconds": backoff,
        "backoff_cap_seconds": cap,
    }
    try:
        return policy_of_call(said) if any(value is not None for value in said.values()) else None
    except (TypeError, ValueError) as error:
        raise UsageError(f"--retry-on, --abort-on and --backoff: {error}") from error


def _content(text: str | None, file: str | None, stdin: Callable[[], bytes]) -> str:
    if file is None:
        return text or ""
    try:
        return (stdin() if file == "-" else Path(file).read_bytes()).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--parameters-file {file} cannot be read: {error}") from error


def changed(text: str | None, pairs: Sequence[str]) -> tuple[list[Any] | dict[str, Any] | None, dict[str, Any] | None]:
    """What was typed about the parameters of a job that is run again.

    Args:
        text: `--parameters`: a list or an object as JSON.
        pairs: `--set`: each is `place=value` or `name=value`, where the value is JSON, else text.

    Returns:
        All parameters anew, and those that are set; None where nothing was typed.

    Raises:
        UsageError: if both were, or if one of them is wrong.
    """
    if text is not None and pairs:
        raise UsageError("parameters can be given in one way only, and not by --parameters and --set")
    whole = None if text is None else parameters(text, None, (), (), bytes)
    return whole, _named(pairs, "--set") if pairs else None


def _named(pairs: Sequence[str], option: str = "-p") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} must look like key=value, for example `{option} year=2026`, and not {pair!r}")
        if key in found:
            raise UsageError(f"{option} {key}=... is given twice")
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    try:
        return strict_json.loads(text)
    except strict_json.NotJSONError:
        return text
