"""Settings of the operator and the API, from the environment (`BGJOBS_REDIS_URL`, ...)."""

from __future__ import annotations

import sys
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bgjobs_core.redis.access import RedisAccess


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
