"""Who looks at the dashboard: the ID token of an identity provider, which the proxy in front passes on.

The proxy is not believed, its token is: no header but `Authorization` says who somebody is. What a token says becomes
a user and groups of Kubernetes by the rules of Kubernetes' own OIDC sign-in, so that the same RoleBindings hold for
kubectl and here. A prefix keeps the provider's names apart from those that Kubernetes gives to its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from joserfc import jwt

from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import reject_token
from bgjobs_api.identity.tokens import LEEWAY_SECONDS, read_token
from bgjobs_core.health.findings import Finding, FindingCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.issuer_keys import IssuerKeys, KeyRing

ALGORITHMS: Final = ("RS256", "ES256", "PS256")
# How names of Kubernetes' own begin (`system:masters` may do everything), and ours (`trial.USER`).
RESERVED: Final = ("system:", "bgjobs:")
MAX_NAME: Final = 256
_EVERYBODY: Final = "system:authenticated"


@dataclass(frozen=True)
class Rules:
    """How a token becomes a user of Kubernetes.

    Attributes:
        issuer: its URL, exactly as in the tokens.
        client_id: that of the proxy, for which tokens are made out.
        username_claim: the claim that names the person.
        username_prefix: put before it.
        groups_claim: the claim that lists groups; it may be missing.
        groups_prefix: put before each.
    """

    issuer: str
    client_id: str
    username_claim: str = "email"
    username_prefix: str = "oidc:"
    groups_claim: str = "groups"
    groups_prefix: str = "oidc:"


def prefix_objection(prefix: str) -> str | None:
    """Why a prefix does not keep names apart; None if it does."""
    if not prefix:
        return "must not be empty: names of the identity provider would be taken for others of the cluster"
    for reserved in RESERVED:
        # `sys` would do as well: a user could be named `tem:masters`.
        if prefix.startswith(reserved) or reserved.startswith(prefix):
            return f"must not begin with {reserved!r}, or as that begins: such names are not a provider's to give"
    return None if prefix.isprintable() else "must be printable"


def verify(token: str, known: IssuerKeys, rules: Rules, wall: float) -> Identity:
    """Who the bearer of this token is, at this Unix time.

    Raises:
        UnauthenticatedError: if it is not a good ID token of the issuer for us.
        UnknownKeyError: if it names another key.
    """
    expected = jwt.JWTClaimsRegistry(
        now=int(wall),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": rules.issuer},
        aud={"essential": True, "value": rules.client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )
    read = read_token(token, known, ALGORITHMS, expected)
    # The provider's other tokens are signed with the same keys: `at+jwt`, `logout+jwt`.
    if str(read.header.get("typ", "JWT")).upper() != "JWT":
        reject_token("its header says that it is no ID token (typ)")
    claims = read.claims
    if "kubernetes.io" in claims:
        reject_token("it is that of a ServiceAccount; people sign in here, and programs have a port of their own")
    _check_party(claims, rules.client_id)
    return Identity(_user(claims, rules), (*_groups(claims, rules), _EVERYBODY), namespace="")


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """OpenID Connect Core 1.0, 3.1.3.7: a token for several must say which of them asked for it."""
    audiences: str | list[str] = claims["aud"]
    several = isinstance(audiences, list) and len(audiences) > 1
    if (several or "azp" in claims) and claims.get("azp") != client_id:
        reject_token("another client asked for it (azp)")


def _user(claims: Mapping[str, Any], rules: Rules) -> str:
    claim = rules.username_claim
    if claim == "email" and "email_verified" in claims and claims["email_verified"] is not True:
        reject_token("the identity provider has not verified the email address (email_verified)")
    return _named(claims.get(claim), rules.username_prefix, f"its claim {claim!r}")


def _groups(claims: Mapping[str, Any], rules: Rules) -> tuple[str, ...]:
    found = claims.get(rules.groups_claim)
    if found is None:
        return ()
    # A single one may come without a list, as Kubernetes has it too.
    names: Sequence[object] = cast("list[object]", found) if isinstance(found, list) else (found,)
    what = f"a group in its claim {rules.groups_claim!r}"
    return tuple(dict.fromkeys(_named(name, rules.groups_prefix, what) for name in names))


def _named(name: object, prefix: str, what: str) -> str:
    if not isinstance(name, str) or not name:
        reject_token(f"{what} is missing or no text")
    if len(name) > MAX_NAME or not name.isprintable():
        reject_token(f"{what} is too long, or has characters in it that cannot be seen")
    if name.startswith(RESERVED) or f"{prefix}{name}".startswith(RESERVED):
        reject_token(f"{what} begins with {' or '.join(map(repr, RESERVED))}, which is kept for others")
    return f"{prefix}{name}"


class IdTokens:
    """Identifies people by the ID tokens of one provider."""

    def __init__(self, ring: KeyRing, rules: Rules) -> None:
        self._ring = ring
        self._rules = rules

    @property
    def ready(self) -> bool:
        """Whether any token can be verified."""
        return self._ring.keys is not None

    def findings(self) -> Sequence[Finding]:
        """What /readyz should say of the provider."""
        if self._ring.trouble:
            then = "those who have signed in go on" if self.ready else "nobody gets in"
            detail = f"the identity provider cannot be asked for its keys, and {then}: {self._ring.trouble}"
        elif not self.ready:
            detail = "the keys of the identity provider were not read yet"
        else:
            return ()
        remedy = (
            f"{self._rules.issuer}/.well-known/openid-configuration must answer to pods of bgjobs: "
            "see dashboard.oidc.issuerUrl and caConfigMap, and the network between them"
        )
        return (Finding(FindingCode.ISSUER_UNREACHABLE, detail, remedy),)

    async def identify(self, token: str, now: Moment) -> Identity:
        """Who calls. Raises as `KeyRing.known_to`."""
        return await self._ring.known_to(lambda known: verify(token, known, self._rules, now.wall), now)
