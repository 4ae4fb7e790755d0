{{/* What every name begins with; room is left for "-operator-leader". */}}
{{- define "bgjobs.fullname" -}}
{{- $default := ternary .Release.Name (printf "%s-bgjobs" .Release.Name) (contains "bgjobs" .Release.Name) -}}
{{- .Values.fullnameOverride | default $default | trunc 47 | trimSuffix "-" -}}
{{- end }}

{{/* The namespaces of jobs, as {"list": [...]}: a template can hand on nothing but text. */}}
{{- define "bgjobs.jobNamespaces" -}}
{{- dict "list" (.Values.jobNamespaces | default (list .Release.Namespace) | uniq) | toJson -}}
{{- end }}

{{/* What selects a component's pods. Takes (root, component). */}}
{{- define "bgjobs.selector" -}}
app.kubernetes.io/name: bgjobs
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Labels of everything. Takes (root, component). */}}
{{- define "bgjobs.labels" -}}
{{- $root := index . 0 -}}
{{ include "bgjobs.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: bgjobs
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{/* How people sign in. A bare `off` in a file of values is YAML's word for false. */}}
{{- define "bgjobs.auth" -}}
{{- .Values.dashboard.auth | default "off" -}}
{{- end }}

{{/* Whether sign-in sessions are kept in the chart's own Redis, by a user that sees nothing else there. */}}
{{- define "bgjobs.sessionsInRedis" -}}
{{- $dashboard := .Values.dashboard -}}
{{- if and (eq (include "bgjobs.auth" $) "oidc") (eq $dashboard.sessions.store "redis") .Values.redis.enabled (not (or $dashboard.sessions.existingSecret $dashboard.sessions.url)) -}}true{{- end -}}
{{- end }}

{{/* The session's cookie; with the prefix, a browser takes it over HTTPS only and from no other host of the domain. */}}
{{- define "bgjobs.cookieName" -}}
{{- ternary "__Host-bgjobs" "bgjobs" (eq .Values.dashboard.scheme "https") -}}
{{- end }}

{{/* The Secret with oauth2-proxy's client-secret and cookie-secret. */}}
{{- define "bgjobs.proxySecret" -}}
{{- .Values.dashboard.oidc.existingSecret | default (printf "%s-oauth2-proxy" (include "bgjobs.fullname" .)) -}}
{{- end }}
