{{/* Whether an address of Redis has a password in it, which must be in a Secret and not in the values. */}}
{{- define "bgjobs.hasPassword" -}}
{{- if regexMatch "^[a-z]+://.*:.*@|[?&]password=" . -}}true{{- end -}}
{{- end }}

{{/* Checks of values that do not go together, which the schema cannot express. */}}
{{- define "bgjobs.checks" -}}
{{- $dashboard := .Values.dashboard -}}
{{- $oidc := $dashboard.oidc -}}
{{- $sessions := $dashboard.sessions -}}
{{- $redis := .Values.redis -}}
{{- $external := $redis.external -}}

{{- if not (or $redis.enabled $external.url $external.existingSecret) -}}
{{- fail "redis.enabled is false: set redis.external.url or redis.external.existingSecret" -}}
{{- end -}}
{{- if not $redis.enabled -}}
{{- if and $external.ca.secret $external.ca.configMap -}}
{{- fail "set redis.external.ca.secret or redis.external.ca.configMap, not both" -}}
{{- end -}}
{{- if and $external.existingSecret (or $external.url $external.username $external.passwordSecret.name) -}}
{{- fail "redis.external.existingSecret has the whole address: leave redis.external.url, redis.external.username and redis.external.passwordSecret empty" -}}
{{- end -}}
{{- if include "bgjobs.hasPassword" $external.url -}}
{{- fail "redis.external.url has a password: put it into a Secret as it is, and name that in redis.external.passwordSecret" -}}
{{- end -}}
{{- if and (include "bgjobs.redisCaFile" .) $external.url (not (hasPrefix "rediss://" $external.url)) -}}
{{- fail "redis.external.ca is for TLS: redis.external.url must begin with rediss://" -}}
{{- end -}}
{{- if and $external.clientCertificate.secret $external.url (not (hasPrefix "rediss://" $external.url)) -}}
{{- fail "redis.external.clientCertificate is for TLS: redis.external.url must begin with rediss://" -}}
{{- end -}}
{{- end -}}

{{- if and $dashboard.ingress.enabled (ne (include "bgjobs.auth" $) "oidc") -}}
{{- fail (printf "dashboard.auth is %s: an Ingress is made for oidc only, because otherwise nobody has to sign in; use kubectl port-forward and set dashboard.ingress.enabled=false, or set dashboard.auth=oidc" (include "bgjobs.auth" $)) -}}
{{- end -}}
{{- if and (eq (include "bgjobs.auth" $) "none") (not .Values.rbac.create) -}}
{{- fail "dashboard.auth is none: it needs the roles that the chart makes, so set rbac.create=true" -}}
{{- end -}}
{{- if and (ne (include "bgjobs.auth" $) "oidc") (ne .Values.dashboard.service.type "ClusterIP") -}}
{{- fail "dashboard.service.type is not ClusterIP: this needs dashboard.auth=oidc, because without a sign-in the dashboard must stay inside the cluster" -}}
{{- end -}}
{{- if and .Values.dashboard.service.nodePort (ne .Values.dashboard.service.type "NodePort") -}}
{{- fail "dashboard.service.nodePort is given: set dashboard.service.type to NodePort as well" -}}
{{- end -}}

{{- if eq (include "bgjobs.auth" $) "oidc" -}}
{{- range $name, $value := dict "host" $dashboard.host "oidc.issuerUrl" $oidc.issuerUrl "oidc.clientId" $oidc.clientId -}}
{{- if not $value -}}
{{- fail (printf "dashboard.auth is oidc: set dashboard.%s" $name) -}}
{{- end -}}
{{- end -}}
{{- if not (or $oidc.clientSecret $oidc.existingSecret) -}}
{{- fail "dashboard.auth is oidc: set dashboard.oidc.existingSecret or dashboard.oidc.clientSecret" -}}
{{- end -}}
{{- if and $oidc.clientSecret $oidc.existingSecret -}}
{{- fail "set dashboard.oidc.existingSecret or dashboard.oidc.clientSecret, not both" -}}
{{- end -}}
{{- if and (hasPrefix "http://" $oidc.issuerUrl) (not $oidc.allowHttp) -}}
{{- fail "dashboard.oidc.issuerUrl does not begin with https://: others on the network could sign in as anybody; only for a test cluster, set dashboard.oidc.allowHttp=true" -}}
{{- end -}}
{{- if not (has "openid" $oidc.scopes) -}}
{{- fail "dashboard.oidc.scopes must contain openid: without it the provider sends no ID token" -}}
{{- end -}}
{{- if and (eq $dashboard.sessions.store "redis") (not $redis.enabled) (not (or $sessions.url $sessions.existingSecret)) -}}
{{- fail "redis.enabled is false: say where sign-in sessions are kept by dashboard.sessions.url, or set dashboard.sessions.store=cookie" -}}
{{- end -}}
{{- range $name, $value := dict "url" $sessions.url "existingSecret" $sessions.existingSecret -}}
{{- if and $value (ne $sessions.store "redis") -}}
{{- fail (printf "dashboard.sessions.%s is for dashboard.sessions.store=redis" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $sessions.url $sessions.existingSecret -}}
{{- fail "dashboard.sessions.existingSecret has the whole address: leave dashboard.sessions.url empty" -}}
{{- end -}}
{{- if include "bgjobs.hasPassword" $sessions.url -}}
{{- fail "dashboard.sessions.url has a password: put it into a Secret as it is, and name that in dashboard.sessions.passwordSecret" -}}
{{- end -}}
{{- range $name, $value := dict "username" $sessions.username "passwordSecret" $sessions.passwordSecret.name -}}
{{- if and $value (not $sessions.url) -}}
{{- fail (printf "dashboard.sessions.%s is set: it needs dashboard.sessions.url as well" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
