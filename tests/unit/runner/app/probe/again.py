"""A module that has imported the function of another one."""

from __future__ import annotations

from .shapes import area as surface

__all__ = ["surface"]
