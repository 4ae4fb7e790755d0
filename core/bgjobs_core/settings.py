"""Settings of the operator and the API, from the environment (`BGJOBS_REDIS_URL`, ...)."""

from __future__ import annotations

import ssl
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMES: Final = ("redis", "rediss", "unix")


@dataclass(frozen=True)
class RedisAccess:
    """Where Redis is, and how to get in; what is "" is left to the address.

    Attributes:
        url: as `rediss://host:6379/0` or `unix:///path`; a password within it is percent-encoded.
        username: instead of one in the address, as it is.
        password: the same.
        ca: PEM file of who may have signed Redis' certificate, besides the public authorities.
        client_cert: PEM file of a certificate that is shown to Redis.
        client_key: PEM file of its key.
    """

    url: str = field(repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    client_cert: str = ""
    client_key: str = ""

    def objections(self) -> Iterator[str]:
        """What is wrong with it, one line each, without secrets."""
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in _SCHEMES and parts.port != 0
        except ValueError:
            usable = False
            yield (
                "BGJOBS_REDIS_URL cannot be read: characters of a password must be percent-encoded in it; "
                "leave the password out, and set BGJOBS_REDIS_PASSWORD"
            )
        else:
            if not usable:
                yield "BGJOBS_REDIS_URL must be as rediss://host:6379/0, redis://host:6379/0 or unix:///path"
        files = {"CA": self.ca, "CLIENT_CERT": self.client_cert, "CLIENT_KEY": self.client_key}
        named = [f"BGJOBS_REDIS_{name}" for name, path in files.items() if path]
        if named and usable and not self.url.startswith("rediss://"):
            yield f"{named[0]} is for TLS: BGJOBS_REDIS_URL must begin with rediss://"
        if bool(self.client_cert) != bool(self.client_key):
            yield "BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY belong together: set both"
            return
        context = ssl.create_default_context()
        if self.ca:
            try:
                context.load_verify_locations(self.ca)
            except OSError as error:
                yield f"BGJOBS_REDIS_CA {self.ca}: {_why(error, 'no certificate in PEM form')}"
        if self.client_cert:
            try:
                context.load_cert_chain(self.client_cert, self.client_key, password="")
            except OSError as error:
                files = f"BGJOBS_REDIS_CLIENT_CERT {self.client_cert}, BGJOBS_REDIS_CLIENT_KEY {self.client_key}"
                yield f"{files}: {_why(error, 'no certificate or key in PEM form, or a passphrase is needed')}"


def _why(error: OSError, unread: str) -> str:
    """Why a certificate or key cannot be used."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return "the key is not that of the certificate" if error.reason == "KEY_VALUES_MISMATCH" else unread


class CommonSettings(BaseSettings):
    """What both need."""

    model_config = SettingsConfigDict(env_prefix="BGJOBS_", frozen=True)

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), description="rediss://host:6379/0, or redis:// without TLS."
    )
    redis_username: str = Field(default="", description="Absent: the default user, or the one in the address.")
    redis_password: SecretStr = Field(default=SecretStr(""), description="As it is; instead of one in the address.")
    redis_ca: str = Field(default="", description="PEM: who signed its certificate, besides the public authorities.")
    redis_client_cert: str = Field(default="", description="PEM, for a Redis that wants a client certificate.")
    redis_client_key: str = Field(default="", description="PEM: its key.")
    namespace: str = Field(default="default", description="Where we are installed.")
    job_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Comma-separated; absent: the one where we are installed."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @field_validator("job_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_redis(self) -> CommonSettings:
        if found := next(self.redis.objections(), None):
            raise ValueError(found)
        return self

    @property
    def redis(self) -> RedisAccess:
        """How to get into Redis."""
        return RedisAccess(
            url=self.redis_url.get_secret_value(),
            username=self.redis_username,
            password=self.redis_password.get_secret_value(),
            ca=self.redis_ca,
            client_cert=self.redis_client_cert,
            client_key=self.redis_client_key,
        )

    @property
    def watched_namespaces(self) -> tuple[str, ...]:
        """Namespaces whose queues and requests count."""
        return self.job_namespaces or (self.namespace,)


S = TypeVar("S", bound=CommonSettings)


def from_environment(settings: type[S], program: str) -> S:
    """Read them, or end the program with exit code 2 and one line for each thing that is wrong.

    The lines are without the values: some are secrets.
    """
    try:
        return settings()
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            name = f"BGJOBS_{one['loc'][0]}: ".upper() if one["loc"] else ""
            sys.stderr.write(f"{program}: {name}{one['msg'].removeprefix('Value error, ')}\n")
        sys.exit(2)
