{{/*
What oauth2-proxy is told, as TOML (a JSON text is one of TOML too). Its secrets come from the environment.
*/}}
{{- define "bgjobs.proxyConfig" -}}
{{- $dashboard := .Values.dashboard -}}
{{- $oidc := $dashboard.oidc -}}
{{- $https := eq $dashboard.scheme "https" -}}
http_address = "0.0.0.0:4180"
upstreams = [{{ printf "http://%s-api-dashboard.%s.svc:80/" (include "bgjobs.fullname" .) .Release.Namespace | toRawJson }}]
# For the answer to begin; what is streamed afterwards may take as long as it wants, and is not held back.
upstream_timeout = "30s"
flush_interval = "100ms"
silence_ping_logging = true
{{- if $dashboard.ingress.enabled }}
# Behind an Ingress only: anybody else could say what they like in X-Forwarded headers.
reverse_proxy = true
{{- with $dashboard.ingress.trustedProxies }}
trusted_proxy_ips = {{ toRawJson . }}
{{- end }}
{{- end }}

# Who somebody is.
provider = "oidc"
oidc_issuer_url = {{ toRawJson $oidc.issuerUrl }}
client_id = {{ toRawJson $oidc.clientId }}
scope = {{ $oidc.scopes | join " " | toRawJson }}
redirect_url = {{ printf "%s://%s/oauth2/callback" $dashboard.scheme $dashboard.host | toRawJson }}
code_challenge_method = "S256"
insecure_oidc_skip_nonce = false
# It wants an address for its log; the API reads the claims itself.
oidc_email_claim = {{ toRawJson $oidc.usernameClaim }}
oidc_groups_claim = {{ toRawJson $oidc.groupsClaim }}
{{- with include "bgjobs.oidcCaFile" . }}
provider_ca_files = [{{ toRawJson . }}]
use_system_trust_store = true
{{- end }}
{{- with $oidc.logoutUrl }}
backend_logout_url = {{ toRawJson . }}
{{- end }}
# Whoever the provider lets in may sign in; what they may do is decided by the cluster's RBAC.
email_domains = ["*"]
skip_provider_button = true
# After a sign-in or a sign-out it leads to pages of this host only.
whitelist_domains = []
# What everybody may see: that they have signed out, and how the pages look.
skip_auth_routes = ["GET=^/signed-out$", "GET=^/static/[0-9a-f]{16}/(vendor/)?[a-z][a-z.]*$"]
# Where a script asks, a redirect to another host's page would be of no use.
api_routes = ["^/api/", "^/static/"]

# What is handed on: the ID token, which the API verifies; and no header that merely says who somebody is.
pass_authorization_header = true
pass_basic_auth = false
pass_user_headers = false
pass_access_token = false
set_xauthrequest = false
set_authorization_header = false
skip_auth_strip_headers = true

# The session.
cookie_name = {{ include "bgjobs.cookieName" . | toRawJson }}
cookie_secure = {{ $https }}
cookie_httponly = true
cookie_samesite = "lax"
cookie_path = "/"
cookie_expire = {{ toRawJson $dashboard.sessions.expire }}
# Shorter than an ID token lives, so that the one that is handed on has always some time left.
cookie_refresh = {{ toRawJson $dashboard.sessions.refresh }}
# Several tabs may sign in at the same time.
cookie_csrf_per_request = true
cookie_csrf_per_request_limit = 5
session_store_type = {{ toRawJson $dashboard.sessions.store }}
{{- if include "bgjobs.sessionsInRedis" . }}
redis_connection_url = {{ printf "redis://%s-redis:6379/1" (include "bgjobs.fullname" .) | toRawJson }}
redis_username = "sessions"
{{- else if $dashboard.sessions.url }}
redis_connection_url = {{ toRawJson $dashboard.sessions.url }}
{{- with $dashboard.sessions.username }}
redis_username = {{ toRawJson . }}
{{- end }}
{{- end }}
{{- if and (eq $dashboard.sessions.store "redis") (include "bgjobs.redisCaFile" .) }}
redis_ca_path = {{ include "bgjobs.redisCaFile" . | toRawJson }}
{{- end }}
{{ end }}
