"""Settings of the API."""

from __future__ import annotations

from pydantic import Field

from bgjobs_core.settings import CommonSettings


class ApiSettings(CommonSettings):
    """From the environment, with the prefix BGJOBS_."""

    # Not BGJOBS_PORT: Kubernetes sets that to `tcp://...` in every pod beside a Service of the name bgjobs.
    listen_host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104 - a pod's port
    listen_port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on.")
    shutdown_seconds: int = Field(default=20, ge=0, description="For requests under way when the process is to end.")
