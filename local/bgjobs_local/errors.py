"""What keeps `bgjobs dev` from running. Every message says what to do."""

from __future__ import annotations

from bgjobs.errors import ConfigurationError


class LocalModeError(ConfigurationError):
    """Any of them."""


class InUseError(LocalModeError):
    """Another `bgjobs dev` runs on this folder; the message says which."""


class PortTakenError(LocalModeError):
    """Something else listens on the port that was asked for."""


class DataFolderError(LocalModeError):
    """The folder for the data cannot be made or written."""


class RedisServerError(LocalModeError):
    """There is no server to start, or it does not start, or it has ended."""


class OtherLeaderError(LocalModeError):
    """Somebody else leads on this Redis."""


class ManifestError(LocalModeError):
    """A file with queues cannot be taken; the message says where and why."""
