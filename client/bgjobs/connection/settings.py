"""Finds the server that a client talks to, and its token: from arguments, the environment or files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bgjobs.connection import local_server
from bgjobs.connection.server import Address, TokenFile, parse_url
from bgjobs.errors import ConfigurationError
from bgjobs.protocol import ENV_TOKEN_FILE, ENV_URL, TOKEN_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENV_TOKEN: Final = "BGJOBS_TOKEN"  # noqa: S105 - a name, not a secret


def find_server(url: str | None, environ: Mapping[str, str], folder: Path | None = None) -> Address:
    """Find the server: the argument, else `BGJOBS_URL`, else the `bgjobs dev` that runs in the folder or above it.

    Args:
        url: what the program says; None if it says nothing.
        environ: the environment of the process.
        folder: where to look for a `bgjobs dev`; None for the current folder.

    Raises:
        ConfigurationError: if there is none of them, or the URL is not valid.
    """
    found = url or environ.get(ENV_URL)
    if not found and (local := local_server.find(folder or Path.cwd())) and local.url and local.alive:
        found = local.url
    if not found:
        raise ConfigurationError(
            f"no server: set {ENV_URL}, as in {ENV_URL}=http://bgjobs-api.bgjobs.svc, or give url=, or start "
            "`bgjobs dev` in this folder"
        )
    return parse_url(found)


def find_token(
    token: str | None, server: Address, environ: Mapping[str, str], default_file: str = TOKEN_FILE
) -> Callable[[], str | None]:
    """Find the token: the argument, else `BGJOBS_TOKEN`, else the file `BGJOBS_TOKEN_FILE`, else the default file.

    Returns:
        A function that returns the token for a request, read again from its file when it may have been replaced. It
        returns None if the server is local and there is no token.

    Raises:
        ConfigurationError: if there is no token and the server is not local, or the file cannot be read.
    """
    fixed = token or environ.get(ENV_TOKEN)
    if fixed:
        if not fixed.isascii() or not fixed.isprintable():
            raise ConfigurationError(
                f"the token (of the argument or {ENV_TOKEN}) holds characters that no token has; is there a line break "
                "in it?"
            )
        return lambda: fixed
    path = environ.get(ENV_TOKEN_FILE) or (default_file if Path(default_file).exists() else None)
    if path:
        file = TokenFile(path)
        file.read()
        return file.read
    if server.is_local:
        return lambda: None
    raise ConfigurationError(
        f"no token for {server.url}: set {ENV_TOKEN}, or {ENV_TOKEN_FILE} to a file such as a projected "
        f"ServiceAccount token with the audience bgjobs (looked for {default_file} too), or give token="
    )
