"""The two applications on one store: for programs and runners, and for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bgjobs_api.app import create_app
from bgjobs_api.http.only_inside import OnlyInside
from bgjobs_api.identity import trial

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.id_tokens import IdTokens


def with_findings_of(deps: Deps, tokens: IdTokens) -> Deps:
    """Both ports are of one process, and either tells what is wrong with the identity provider."""
    return replace(deps, findings=lambda: [*deps.findings(), *tokens.findings()])


def for_programs(deps: Deps) -> FastAPI:
    """JSON alone, for ServiceAccounts; with the runners' endpoints."""
    return create_app(deps)


def for_people(deps: Deps, tokens: IdTokens) -> FastAPI:
    """Pages and the API for those who have signed in at the proxy in front."""
    return create_app(replace(deps, authenticator=tokens, sign_in=True), pages=True, runners=False)


def for_trial(deps: Deps) -> FastAPI:
    """Pages and the API for whoever reaches them."""
    changed = replace(deps, authenticator=trial.NobodySignsIn(), anonymous=trial.TRIAL, notice=trial.NOTICE)
    app = create_app(changed, pages=True, runners=False)
    app.add_middleware(OnlyInside)
    return app
