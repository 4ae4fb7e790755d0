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

{{/* The Secret that has Redis' address. */}}
{{- define "bgjobs.redisSecret" -}}
{{- $given := ternary .Values.redis.existingSecret .Values.redis.external.existingSecret .Values.redis.enabled -}}
{{- $given | default (printf "%s-redis" (include "bgjobs.fullname" .)) -}}
{{- end }}
