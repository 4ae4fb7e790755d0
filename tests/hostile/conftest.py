"""The API with its pages in this process, so that the processor time of an answer can be measured."""

from __future__ import annotations

from tests.api.pages.conftest import pages_app, site

__all__ = ["pages_app", "site"]
