"""The reasons why `bgjobs dev` cannot run. Every message says what to do."""

from __future__ import annotations

from bgjobs.errors import ConfigurationError


class LocalModeError(ConfigurationError):
    """The base class of all reasons why `bgjobs dev` cannot run."""


class InUseError(LocalModeError):
    """Another `bgjobs dev` uses the data folder; the message says which."""


class PortTakenError(LocalModeError):
    """The port that was asked for is in use, or may not be used."""


class DataFolderError(LocalModeError):
    """The data folder cannot be made or written."""


class RedisServerError(LocalModeError):
    """There is no Redis server to start, or it does not start, or it has ended."""


class OtherLeaderError(LocalModeError):
    """Another bgjobs has taken over the Redis that this one uses."""


class ManifestError(LocalModeError):
    """A file with queues cannot be used; the message says where and why."""
