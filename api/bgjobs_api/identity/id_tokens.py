"""People show who they are by an ID token of their identity provider, which the proxy in front of the API passes on.

The proxy is not trusted to say who somebody is: only the token in the header `Authorization` counts. It becomes a user
and groups of Kubernetes by the rules of Kubernetes' own OIDC sign-in, so that the same RoleBindings hold for kubectl
and for the dashboard. A prefix keeps the names of the identity provider apart from those of Kubernetes itself.
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
# Names of Kubernetes itself begin with the first (`system:masters` may do everything), names of ours with the second
# (`trial.USER`).
RESERVED: Final = ("system:", "bgjobs:")
MAX_NAME: Final = 256
_EVERYBODY: Final = "system:authenticated"


@dataclass(frozen=True)
class Rules:
    """How an ID token becomes a user of Kubernetes.

    Attributes:
        issuer: the URL of the identity provider, exactly as its tokens give it.
        client_id: the client id of the proxy; tokens must be issued for it.
        username_claim: the claim that names the person.
        username_prefix: what is put before the name of a person.
        groups_claim: the claim that lists the person's groups; a token may be without it.
        groups_prefix: what is put before the name of each group.
    """

    issuer: str
    client_id: str
    username_claim: str = "email"
    username_prefix: str = "oidc:"
    groups_claim: str = "groups"
    groups_prefix: str = "oidc:"


def prefix_objection(prefix: str) -> str | None:
    """What is wrong with a prefix, as the end of a sentence; None if it keeps the provider's names apart."""
    if not prefix:
        return "must not be empty: a name of the identity provider could be that of somebody else in the cluster"
    for reserved in RESERVED:
        # `sys` would do as well: a user could be named `tem:masters`.
        if prefix.startswith(reserved) or reserved.startswith(prefix):
            return f"must not make names that begin with {reserved!r}: an identity provider may not give those"
    return None if prefix.isprintable() else "must consist of characters that can be seen"


def verify(token: str, known: IssuerKeys, rules: Rules, wall: float) -> Identity:
    """The person that an ID token was issued for, as a user of Kubernetes.

    Args:
        token: the text that was sent.
        known: the keys of the identity provider.
        rules: how the token becomes a user.
        wall: the time, in Unix seconds.

    Raises:
        UnauthenticatedError: if it is not an ID token of this provider for this client, or if it has expired.
        UnknownKeyError: if it names a key that is not among the known ones.
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
        reject_token("its header says that it is not an ID token (typ)")
    claims = read.claims
    if "kubernetes.io" in claims:
        reject_token("it belongs to a ServiceAccount; this port is for people, and programs have a port of their own")
    _check_party(claims, rules.client_id)
    return Identity(_user(claims, rules), (*_groups(claims, rules), _EVERYBODY), namespace="")


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    """OpenID Connect Core 1.0, 3.1.3.7: a token for several must say which of them asked for it."""
    audiences: str | list[str] = claims["aud"]
    several = isinstance(audiences, list) and len(audiences) > 1
    if (several or "azp" in claims) and claims.get("azp") != client_id:
        reject_token("it was issued for another client (azp)")


def _user(claims: Mapping[str, Any], rules: Rules) -> str:
    claim = rules.username_claim
    if claim == "email" and "email_verified" in claims and claims["email_verified"] is not True:
        reject_token("the identity provider has not verified the email address (email_verified)")
    return _named(claims.get(claim), rules.username_prefix, f"its claim {claim!r}")


def _groups(claims: Mapping[str, Any], rules: Rules) -> tuple[str, ...]:
    found = claims.get(rules.groups_claim)
    if found is None:
        return ()
    # Kubernetes takes a single group without a list, too.
    names: Sequence[object] = cast("list[object]", found) if isinstance(found, list) else (found,)
    what = f"a group in its claim {rules.groups_claim!r}"
    return tuple(dict.fromkeys(_named(name, rules.groups_prefix, what) for name in names))


def _named(name: object, prefix: str, what: str) -> str:
    if not isinstance(name, str) or not name:
        reject_token(f"{what} is missing, or is not a text")
    if len(name) > MAX_NAME or not name.isprintable():
        reject_token(f"{what} is longer than {MAX_NAME} characters, or has characters that cannot be seen")
    if name.startswith(RESERVED) or f"{prefix}{name}".startswith(RESERVED):
        reserved = " or ".join(map(repr, RESERVED))
        reject_token(f"{what} begins with {reserved}, which is reserved for names of Kubernetes and bgjobs")
    return f"{prefix}{name}"


class IdTokens:
    """Tells who calls by the ID tokens of one identity provider. Implements `http.deps.Authenticator`."""

    def __init__(self, ring: KeyRing, rules: Rules) -> None:
        self._ring = ring
        self._rules = rules

    @property
    def ready(self) -> bool:
        """Whether the provider's keys were read, so that tokens can be verified."""
        return self._ring.keys is not None

    def findings(self) -> Sequence[Finding]:
        """What `/readyz` should warn of: that the provider's keys cannot be read, or were not read yet."""
        if self._ring.trouble:
            then = "those who have signed in go on" if self.ready else "nobody can sign in"
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
        """The person who has sent this token.

        Raises:
            UnauthenticatedError: if the token is not good.
            KeysUnavailableError: if that cannot be told at the moment.
        """
        return await self._ring.known_to(lambda known: verify(token, known, self._rules, now.wall), now)
