"""Which images a job may choose: the patterns of its queue, matched part by part.

An image has a registry, a repository, a tag and a digest, and each part of a pattern is about that part of the image.
So `shop:*` is every tag of `shop`, and not `shop:5000/evil/x:1`, whose registry happens to begin so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# What a container runtime takes for a registry: the part before the first slash, if it looks like a host.
_HOST: Final = re.compile(r"localhost(?=/|:)[^/]*|[^/]*[.:][^/]*")


@dataclass(frozen=True)
class Reference:
    """An image, or a pattern of images, in its parts; "" for one that is not there.

    Attributes:
        registry: host and port, without which it is the default registry of the node.
        repository: the name, which may have slashes.
        tag: without the colon.
        digest: without the at sign, such as `sha256:...`.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @classmethod
    @lru_cache(maxsize=1024)
    def read(cls, text: str) -> Reference:
        """From the usual way to write it: `registry.example:5000/team/shop:1@sha256:...`."""
        name, _, digest = text.partition("@")
        first, slash, rest = name.partition("/")
        registry = first if slash and (first == "localhost" or _HOST.fullmatch(first)) else ""
        repository, _, tag = (rest if registry else name).partition(":")
        return cls(registry, repository, tag, digest)


def fits(image: str, pattern: str) -> bool:
    """Whether an image is one of those that a pattern stands for.

    `*` stands for any characters within one part, but for no slash, colon or at sign; `?` for one such character. A tag
    that is `*` and nothing else means the whole repository, so that an image with a digest fits as well; any other
    tag says nothing of a digest, which decides what is pulled.
    """
    one, many = Reference.read(image), Reference.read(pattern)
    if not (_like(one.registry, many.registry) and _like(one.repository, many.repository)):
        return False
    if many.digest:
        return _like(one.digest, many.digest) and (not many.tag or _like(one.tag, many.tag))
    if many.tag == "*":
        return bool(one.tag or one.digest)
    return not one.digest and _like(one.tag, many.tag)


def _like(text: str, pattern: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Two stars beside each other are one, so that no pattern takes long."""
    kinds = {"*": "[^/:@]*", "?": "[^/:@]"}
    parts = re.split(r"(\*+|\?)", pattern)
    return re.compile("".join(kinds.get(part[:1], re.escape(part)) for part in parts))
