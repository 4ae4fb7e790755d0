"""The settings that the operator and the API share, read from the environment (`BGJOBS_REDIS_URL` and so on)."""

from __future__ import annotations

import sys
from typing import Annotated, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bgjobs_core.redis.access import RedisAccess


class CommonSettings(BaseSettings):
    """The settings that both processes have. Each has its own subclass with more of them."""

    model_config = SettingsConfigDict(env_prefix="BGJOBS_", frozen=True)

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Address of Redis: rediss://host:6379/0, or redis:// without TLS.",
    )
    redis_username: str = Field(
        default="", description="User of Redis; absent: the one in the address, or the default user."
    )
    redis_password: SecretStr = Field(
        default=SecretStr(""), description="Password, not percent-encoded; absent: the one in the address."
    )
    redis_ca: str = Field(
        default="", description="PEM file of certificate authorities to trust besides the public ones."
    )
    redis_client_cert: str = Field(default="", description="PEM file, for a Redis that needs a client certificate.")
    redis_client_key: str = Field(default="", description="PEM file with the key of the client certificate.")
    namespace: str = Field(default="default", description="The namespace where bgjobs is installed.")
    job_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Namespaces of jobs, separated by commas; absent: the one where bgjobs is installed."
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
        """Address, user, password and certificates of Redis, as one value."""
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
        """The namespaces of jobs, whose queues and requests are looked at."""
        return self.job_namespaces or (self.namespace,)


S = TypeVar("S", bound=CommonSettings)


def from_environment(settings: type[S], program: str) -> S:
    """Read the settings of a program from the environment.

    If something is wrong with them, the program ends with exit code 2, after one line on standard error for each thing
    that is wrong. The lines do not have the values in them, because some are secrets.

    Args:
        settings: the class of the settings.
        program: the name of the program, which begins each line.
    """
    try:
        return settings()
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            name = f"BGJOBS_{one['loc'][0]}: ".upper() if one["loc"] else ""
            sys.stderr.write(f"{program}: {name}{one['msg'].removeprefix('Value error, ')}\n")
        sys.exit(2)
