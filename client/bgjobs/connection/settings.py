"""Which server a client talks to, and with which token: by its arguments, else by the environment."""

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
    """The address of the server: this URL, else `BGJOBS_URL`, else a `bgjobs dev` that runs in the folder or above.

    Args:
        url: the URL that the program gives; None: it gives none.
        environ: the environment of the process.
        folder: where to look for `bgjobs dev`; None: in the current folder.

    Raises:
        ConfigurationError: if none of them is there, or if what is there is not the URL of a server.
    """
    found = url or environ.get(ENV_URL)
    if not found and (local := local_server.find(folder or Path.cwd())) and local.url and local.alive:
        found = local.url
    if not found:
        raise ConfigurationError(
            f"no server: set {ENV_URL}, for example {ENV_URL}=http://bgjobs-api.bgjobs.svc, or give the argument url, "
            "or start `bgjobs dev` in this folder"
        )
    return parse_url(found)


def find_token(
    token: str | None, server: Address, environ: Mapping[str, str], default_file: str = TOKEN_FILE
) -> Callable[[], str | None]:
    """Make a function that gives the token at each request, or None if the server is local and there is no token.

    The token is the first of these that is there: the argument, `BGJOBS_TOKEN`, the file that `BGJOBS_TOKEN_FILE`
    names, the default file.

    Args:
        token: the token that the program gives; None: it gives none.
        server: the server that the token is for.
        environ: the environment of the process.
        default_file: where the chart's documentation projects the token in a pod.

    Raises:
        ConfigurationError: if none of them is there and the server is not local, or if the file cannot be read.
    """
    fixed = token or environ.get(ENV_TOKEN)
    if fixed:
        if not fixed.isascii() or not fixed.isprintable():
            raise ConfigurationError("the token has characters that no token can have; is there a line end in it?")
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
        f"ServiceAccount token with the audience bgjobs (there is no file {default_file}), or give the argument token"
    )
