"""Reads quantities of memory as Kubernetes writes them, such as `256Mi`."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_FORM: Final = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]*)")


def memory_bytes(text: str) -> int:
    """Return the bytes of a quantity such as `256Mi`, `1G` or `1048576`.

    Raises:
        ValueError: if the text is not such a quantity.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{text!r} is not an amount of memory such as 256Mi or 1G")
    return round(float(found[1]) * _UNITS[found[2]])
