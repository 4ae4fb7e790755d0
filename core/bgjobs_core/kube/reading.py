"""JSON of the Kubernetes API as it may come: with text that Python cannot write again, or nested beyond all measure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bgjobs_core.kube.errors import KubeUnreachableError, KubeUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def decoded(raw: bytes | msgspec.Raw, decode: Callable[[bytes | msgspec.Raw], T], what: str) -> T:
    """What a decoder of msgspec makes of JSON.

    Halves of surrogate pairs, which msgspec does not take, become "?".

    Args:
        raw: the JSON.
        decode: raises msgspec.MsgspecError for what it cannot read.
        what: this is, for the message of an error.

    Raises:
        KubeUnreadableError: it is JSON, but nested too deeply, or without the parts that are wanted.
        KubeUnreachableError: it is no JSON: it was cut off, or a proxy in front of the API server has answered.
    """
    try:
        return decode(raw)
    except msgspec.MsgspecError:
        pass
    except RecursionError as error:
        raise KubeUnreadableError(f"{what}: it is nested too deeply") from error
    try:
        mended = json.dumps(json.loads(bytes(raw)), ensure_ascii=False).encode(errors="replace")
    except ValueError as error:
        raise KubeUnreachableError(f"{what}: the answer is not JSON: {bytes(raw)[:100]!r}") from error
    except RecursionError as error:
        raise KubeUnreadableError(f"{what}: it is nested too deeply") from error
    try:
        return decode(mended)
    except msgspec.MsgspecError as error:
        raise KubeUnreadableError(f"{what}: it cannot be read: {error}: {bytes(raw)[:100]!r}") from error
