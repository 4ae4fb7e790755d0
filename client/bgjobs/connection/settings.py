"""Which server a client talks to, and with which token: by its arguments, else by the environment."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from bgjobs.connection import local_server
from bgjobs.connection.server import Address, TokenFile, parse_url
from bgjobs.errors import ConfigurationError
from bgjobs.protocol import ENV_TOKEN_FILE, ENV_URL, TOKEN_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A token, or what gives one for each request.
Token: TypeAlias = "str | Callable[[], str | None]"  # noqa: S105 - a type, not a secret

ENV_TOKEN: Final = "BGJOBS_TOKEN"  # noqa: S105 - a name, not a secret
ENV_TIMEOUT: Final = "BGJOBS_TIMEOUT"


class Limits(NamedTuple):
    """How long things may take.

    Attributes:
        timeout_seconds: one request.
        retry_seconds: for so long a call is sent again that gets no answer.
        call_seconds: a call with all its requests; None: as long as the other two allow.
    """

    timeout_seconds: float
    retry_seconds: float
    call_seconds: float | None


def find_call_seconds(seconds: float | None, environ: Mapping[str, str]) -> float | None:
    """How many seconds a call may take with all its tries: this, else `BGJOBS_TIMEOUT`; None: neither says it.

    Raises:
        ConfigurationError: if it is no number of seconds above 0.
    """
    said = environ.get(ENV_TIMEOUT) if seconds is None else seconds
    if said is None or said == "":
        return None
    try:
        found = float(said)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 < found < math.inf:
        what = ENV_TIMEOUT if seconds is None else "timeout"
        raise ConfigurationError(f"{what} is a number of seconds above 0, such as 5 or 0.5, and not {said!r}")
    return found


def find_server(url: str | None, environ: Mapping[str, str], folder: Path | None = None) -> Address:
    """The address of the server: this URL, else `BGJOBS_URL`, else a `bgjobs dev` that runs in the folder or above.

    Args:
        url: the URL that the program gives; None: it gives none.
        environ: the environment of the process.
        folder: where to look for `bgjobs dev`; None: in the current folder.

    Raises:
        ConfigurationError: if none of them is there, if what is there is not the URL of a server, or if the file of
            `bgjobs dev` is one that other users of the machine may have written.
    """
    found = url or environ.get(ENV_URL)
    if not found and (local := local_server.find(folder or Path.cwd())):
        if local.refused:
            raise ConfigurationError(local.refused)
        found = local.url if local.alive else None
    if not found:
        raise ConfigurationError(
            f"no server: set {ENV_URL}, for example {ENV_URL}=http://bgjobs-api.bgjobs.svc, or give the argument url, "
            "or start `bgjobs dev` in this folder"
        )
    return parse_url(found)


def find_token(
    token: Token | None,
    server: Address,
    environ: Mapping[str, str],
    default_file: str = TOKEN_FILE,
    folder: Path | None = None,
) -> Callable[[], str | None]:
    """Make a function that gives the token at each request, or None if the server is local and there is no token.

    The token is the first of these that is there: the argument, `BGJOBS_TOKEN`, the file that `BGJOBS_TOKEN_FILE`
    names, the default file, the file of a `bgjobs dev` in the folder or above, if it is the server. The last one
    comes first unless `BGJOBS_URL` names this server: tokens of the environment are for another one then.

    Args:
        token: the token that the program gives, or a function that gives it; None: it gives none.
        server: the server that the token is for.
        environ: the environment of the process.
        default_file: where the chart's documentation projects the token in a pod.
        folder: where to look for `bgjobs dev`; None: in the current folder.

    Raises:
        ConfigurationError: if none of them is there and the server is not local, or if the file cannot be read.
    """
    if callable(token):
        return token
    local = _local_token(server, folder) if server.is_local and not token else None
    if local is not None and not _names(environ.get(ENV_URL, ""), server):
        return local
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
        return local or (lambda: None)
    raise ConfigurationError(
        f"no token for {server.url}: set {ENV_TOKEN}, or {ENV_TOKEN_FILE} to a file such as a projected "
        f"ServiceAccount token with the audience bgjobs (there is no file {default_file}), or give the argument token"
    )


def _names(url: str, server: Address) -> bool:
    try:
        return parse_url(url) == server
    except ConfigurationError:
        return False


def _local_token(server: Address, folder: Path | None) -> Callable[[], str | None] | None:
    """What gives the token of the `bgjobs dev` whose file is in the folder or above; None if it is not this server."""
    found = local_server.find(folder or Path.cwd())
    # By the same name: behind `localhost` there may also be the server of somebody else, on the port of ::1.
    if found is None or not found.alive or found.url is None or parse_url(found.url) != server:
        return None
    return local_server.ServerToken(found)


def find_token_later(server: Address, environ: Mapping[str, str]) -> Callable[[], str | None]:
    """As `find_token`, but the token is looked for when it is first needed: so this raises nothing yet."""
    found: list[Callable[[], str | None]] = []

    def token() -> str | None:
        if not found:
            found.append(find_token(None, server, environ))
        return found[0]()

    return token
