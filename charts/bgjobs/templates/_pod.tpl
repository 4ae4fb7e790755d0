{{/* What every pod has: no privilege, and where it may be placed. Takes (root, values of the component). */}}
{{- define "bgjobs.pod" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
enableServiceLinks: false # Service bgjobs-api would give the variable BGJOBS_API_PORT, which looks like a setting
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every container has. Takes the values of the component. */}}
{{- define "bgjobs.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with .resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Metadata of a pod template, without versions: a new chart alone restarts nothing. Takes (root, component, values). */}}
{{- define "bgjobs.podMetadata" -}}
labels:
  {{- include "bgjobs.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: bgjobs
{{- with (index . 2).podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Image of the operator and the API. */}}
{{- define "bgjobs.image" -}}
image: {{ printf "%s:%s" .repository .tag | quote }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}

{{/* Settings that the operator and the API share. */}}
{{- define "bgjobs.settings" -}}
- name: BGJOBS_REDIS_URL
  valueFrom:
    secretKeyRef: {name: {{ include "bgjobs.redisSecret" . }}, key: url}
- name: BGJOBS_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
- name: BGJOBS_JOB_NAMESPACES
  value: {{ (include "bgjobs.jobNamespaces" . | fromJson).list | join "," | quote }}
- name: BGJOBS_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- end }}

{{/* The two questions that the kubelet asks. */}}
{{- define "bgjobs.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}
