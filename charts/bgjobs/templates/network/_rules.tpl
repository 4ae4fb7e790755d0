{{/* Metadata and subject of a policy. Takes (root, component). */}}
{{- define "bgjobs.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "bgjobs.fullname" (index . 0) }}-{{ index . 1 }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "bgjobs.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "bgjobs.selector" . | nindent 6 }}
{{- end }}

{{/* Pods of a component, as a peer. Takes (root, component). */}}
{{- define "bgjobs.peer" -}}
- podSelector:
    matchLabels:
      {{- include "bgjobs.selector" . | nindent 6 }}
{{- end }}

{{/* Names are looked up. Takes the root. */}}
{{- define "bgjobs.toDns" -}}
- ports:
    {{- range .Values.networkPolicy.egress.dnsPorts }}
    - {port: {{ . }}, protocol: UDP}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{/* Some ports of anywhere: where it lies has no labels. Takes a list of ports. */}}
{{- define "bgjobs.toPorts" -}}
- ports:
    {{- range . }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}

{{/* Redis: our own, or wherever that of one's own may be. Takes the root. */}}
{{- define "bgjobs.toRedis" -}}
{{- if .Values.redis.enabled -}}
- to:
    {{- include "bgjobs.peer" (list . "redis") | nindent 4 }}
  ports:
    - {port: 6379, protocol: TCP}
{{- else -}}
{{- include "bgjobs.toPorts" .Values.networkPolicy.egress.redisPorts -}}
{{- end }}
{{- end }}
