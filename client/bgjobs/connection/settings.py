"""Which server a client talks to: an argument, else the environment."""

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
    """The server of this argument, else of `BGJOBS_URL`, else a `bgjobs dev` that runs in the folder or above it.

    Args:
        url: as the program gives it.
        environ: of the process.
        folder: default: the current one.

    Raises:
        ConfigurationError: if there is none of them, or it is not a URL.
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
    """What gives the token at each request: the argument, `BGJOBS_TOKEN`, `BGJOBS_TOKEN_FILE`, the usual file.

    Raises:
        ConfigurationError: if none of them is there and the server is not local, or the file cannot be read.
    """
    fixed = token or environ.get(ENV_TOKEN)
    if fixed:
        if not fixed.isascii() or not fixed.isprintable():
            raise ConfigurationError("the token holds characters that no token has (is there a line end in it?)")
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
