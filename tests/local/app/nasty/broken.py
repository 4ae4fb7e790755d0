"""A module that cannot be imported."""

import a_package_that_nobody_has  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]


class Broken:
    def run(self) -> None: ...
