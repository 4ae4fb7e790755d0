{{/* The Secret with the passwords of the chart's own Redis. */}}
{{- define "bgjobs.redisSecret" -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "bgjobs.fullname" .)) -}}
{{- end }}

{{/*
How the operator and the API get into Redis. A password stands beside the address and not in it, so that it may have
any characters.
*/}}
{{- define "bgjobs.redisSettings" -}}
{{- $external := .Values.redis.external -}}
{{- if .Values.redis.enabled -}}
- name: BGJOBS_REDIS_URL
  value: redis://{{ include "bgjobs.fullname" . }}-redis:6379/0
- name: BGJOBS_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "bgjobs.redisSecret" . | quote }}, key: password}
{{- else -}}
- name: BGJOBS_REDIS_URL
  {{- if $external.existingSecret }}
  valueFrom:
    secretKeyRef: {name: {{ $external.existingSecret | quote }}, key: url}
  {{- else }}
  value: {{ $external.url | quote }}
  {{- end }}
{{- with $external.username }}
- name: BGJOBS_REDIS_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- if $external.passwordSecret.name }}
- name: BGJOBS_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $external.passwordSecret.name | quote }}, key: {{ $external.passwordSecret.key | quote }}}
{{- end }}
{{- with include "bgjobs.redisCaFile" . }}
- name: BGJOBS_REDIS_CA
  value: {{ . }}
{{- end }}
{{- if $external.clientCertificate.secret }}
- name: BGJOBS_REDIS_CLIENT_CERT
  value: /etc/bgjobs/redis-client/tls.crt
- name: BGJOBS_REDIS_CLIENT_KEY
  value: /etc/bgjobs/redis-client/tls.key
{{- end }}
{{- end }}
{{- end }}

{{/* Where the certificate authority of a Redis of one's own is mounted, and from what; oauth2-proxy has it too. */}}
{{- define "bgjobs.redisCaFile" -}}
{{- $external := .Values.redis.external -}}
{{- if and (not .Values.redis.enabled) (or $external.ca.secret $external.ca.configMap) -}}/etc/bgjobs/redis-ca/ca.crt{{- end -}}
{{- end }}
{{- define "bgjobs.redisCaVolume" -}}
{{- if include "bgjobs.redisCaFile" . -}}
{{- $ca := .Values.redis.external.ca -}}
- name: redis-ca
  {{- if $ca.secret }}
  secret: {secretName: {{ $ca.secret | quote }}, items: [{key: {{ $ca.key | quote }}, path: ca.crt}]}
  {{- else }}
  configMap: {name: {{ $ca.configMap | quote }}, items: [{key: {{ $ca.key | quote }}, path: ca.crt}]}
  {{- end }}
{{- end }}
{{- end }}
{{- define "bgjobs.redisCaMount" -}}
{{- if include "bgjobs.redisCaFile" . -}}
- {name: redis-ca, mountPath: /etc/bgjobs/redis-ca, readOnly: true}
{{- end }}
{{- end }}

{{/* The same for the certificate that is shown to it. */}}
{{- define "bgjobs.redisClientVolume" -}}
{{- $client := .Values.redis.external.clientCertificate -}}
{{- if and (not .Values.redis.enabled) $client.secret -}}
- name: redis-client
  secret:
    secretName: {{ $client.secret | quote }}
    items:
      - {key: {{ $client.certificateKey | quote }}, path: tls.crt}
      - {key: {{ $client.keyKey | quote }}, path: tls.key}
{{- end }}
{{- end }}
{{- define "bgjobs.redisClientMount" -}}
{{- if include "bgjobs.redisClientVolume" . -}}
- {name: redis-client, mountPath: /etc/bgjobs/redis-client, readOnly: true}
{{- end }}
{{- end }}
