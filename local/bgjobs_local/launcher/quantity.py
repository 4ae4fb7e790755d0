"""Kubernetes' quantities of memory, as `256Mi`, in bytes."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]*)")


def memory_bytes(text: str) -> int:
    """Bytes of a quantity.

    Raises:
        ValueError: if it is not one.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{text!r} is not an amount of memory such as 256Mi or 1G")
    return round(float(found[1]) * _UNITS[found[2]])
