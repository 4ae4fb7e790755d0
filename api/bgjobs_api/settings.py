"""The settings of the API, which are read from the environment and checked when it starts."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from bgjobs_api.identity.id_tokens import Rules, prefix_objection
from bgjobs_core.settings import CommonSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


class ApiSettings(CommonSettings):
    """The settings of the API. Each is read from the environment variable of its name, with the prefix `BGJOBS_`."""

    # Not BGJOBS_PORT: Kubernetes sets that to `tcp://...` in every pod beside a Service of the name bgjobs.
    listen_host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104 - a pod's port
    listen_port: int = Field(default=8080, ge=0, le=65535, description="Port for programs and runners.")
    shutdown_seconds: int = Field(
        default=20, ge=0, description="How long requests under way may take when the process ends."
    )

    roles: str = Field(default="bgjobs", description="How the names of the chart's ClusterRoles begin.")
    rediscli: str = Field(default="redis-cli", description="How an administrator calls redis-cli, for remedies.")
    dashboard_port: int = Field(default=8090, ge=0, le=65535, description="Port for people.")
    dashboard_auth: Literal["off", "oidc", "none"] = Field(
        default="off",
        description="How people sign in: off (no dashboard), oidc, or none (a trial: everybody is the same user).",
    )
    oidc_issuer_url: str = Field(default="", description="URL of the identity provider, exactly as in its tokens.")
    oidc_client_id: str = Field(default="", description="The client id of oauth2-proxy.")
    oidc_username_claim: str = Field(default="email", description="The claim that names the person.")
    oidc_username_prefix: str = Field(default="oidc:", description="Put before the name of a person.")
    oidc_groups_claim: str = Field(default="groups", description="The claim that lists the person's groups.")
    oidc_groups_prefix: str = Field(default="oidc:", description="Put before the name of each group.")
    oidc_ca_file: str = Field(default="", description="PEM file of its certificate authorities; absent: the system's.")
    oidc_allow_http: bool = Field(default=False, description="Allow a URL with http://, for tests.")

    @property
    def id_token_rules(self) -> Rules:
        """The rules by which an ID token becomes a user of Kubernetes."""
        return Rules(
            issuer=self.oidc_issuer_url,
            client_id=self.oidc_client_id,
            username_claim=self.oidc_username_claim,
            username_prefix=self.oidc_username_prefix,
            groups_claim=self.oidc_groups_claim,
            groups_prefix=self.oidc_groups_prefix,
        )

    @model_validator(mode="after")
    def _check_front_door(self) -> ApiSettings:
        if self.dashboard_auth == "off":
            return self
        if self.dashboard_port == self.listen_port != 0:
            raise ValueError("BGJOBS_DASHBOARD_PORT and BGJOBS_LISTEN_PORT must differ")
        if self.dashboard_auth == "oidc" and (found := next(self._objections(), None)):
            raise ValueError(found)
        return self

    def _objections(self) -> Iterator[str]:
        """What is wrong with the settings of the identity provider."""
        for name in ("issuer_url", "client_id", "username_claim", "groups_claim"):
            if not getattr(self, f"oidc_{name}"):
                yield f"BGJOBS_OIDC_{name.upper()} is needed with BGJOBS_DASHBOARD_AUTH=oidc"
        url = urlsplit(self.oidc_issuer_url)
        if not (url.scheme == "https" or (url.scheme == "http" and self.oidc_allow_http)):
            yield "BGJOBS_OIDC_ISSUER_URL must begin with https:// (BGJOBS_OIDC_ALLOW_HTTP=true is for tests)"
        if not url.hostname or url.query or url.fragment or url.username is not None:
            yield "BGJOBS_OIDC_ISSUER_URL must be a URL with a host, and without user, query and fragment"
        for name in ("username_prefix", "groups_prefix"):
            if objection := prefix_objection(getattr(self, f"oidc_{name}")):
                yield f"BGJOBS_OIDC_{name.upper()} {objection}"
        try:
            ssl.create_default_context(cafile=self.oidc_ca_file or None)
        except OSError as error:
            yield f"BGJOBS_OIDC_CA_FILE {self.oidc_ca_file}: {error.strerror or error}"
