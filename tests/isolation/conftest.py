"""Set-up of this suite: one Valkey for the whole run, and the virtual clock, before the product is imported."""

from __future__ import annotations

from tests.isolation import virtual_time

virtual_time.install()
