"""Settings of the operator and the API, from the environment (`BGJOBS_REDIS_URL`, ...)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class CommonSettings(BaseSettings):
    """What both need."""

    model_config = SettingsConfigDict(env_prefix="BGJOBS_", frozen=True)

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), description="redis://:password@host:6379/0"
    )
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

    @property
    def watched_namespaces(self) -> tuple[str, ...]:
        """Namespaces whose queues and requests count."""
        return self.job_namespaces or (self.namespace,)
