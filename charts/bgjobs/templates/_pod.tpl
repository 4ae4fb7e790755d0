{{/* What every pod has: no privilege, and where it may be placed. Takes (root, component, its values). */}}
{{- define "bgjobs.pod" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 -}}
enableServiceLinks: false # Service bgjobs-api would give the variable BGJOBS_API_PORT, which looks like a setting
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
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
{{- if hasKey $values "topologySpreadConstraints" }}
topologySpreadConstraints:
  {{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- /* A wish, as a cluster of one node must do. Pods of one version are counted, or an update would end lopsided. */}}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "bgjobs.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
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

{{/*
Metadata of a pod template, without versions: a new chart alone restarts nothing.
Takes (root, component, values) and, if there are any, annotations of the chart's own.
*/}}
{{- define "bgjobs.podMetadata" -}}
{{- $annotations := dict -}}
{{- if gt (len .) 3 }}{{ $annotations = index . 3 }}{{ end -}}
labels:
  {{- /* What selects the pod comes last, so that no value can take a pod out of its Service. */}}
  {{- merge (include "bgjobs.selector" . | fromYaml) (dict "app.kubernetes.io/part-of" "bgjobs") ((index . 2).podLabels | default dict) | toYaml | nindent 2 }}
{{- with merge $annotations ((index . 2).podAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An image by its digest if there is one, else by its tag. */}}
{{- define "bgjobs.image" -}}
image: {{ with .digest }}{{ printf "%s@%s" $.repository . | quote }}{{ else }}{{ printf "%s:%s" .repository .tag | quote }}{{ end }}
imagePullPolicy: {{ .pullPolicy }}
{{- end }}

{{/* Image of the operator and the API. */}}
{{- define "bgjobs.serverImage" -}}
{{- include "bgjobs.image" (merge (dict "tag" (.Values.image.tag | default .Chart.AppVersion)) .Values.image) -}}
{{- end }}

{{/* Settings that the operator and the API share. */}}
{{- define "bgjobs.settings" -}}
{{ include "bgjobs.redisSettings" . }}
- name: BGJOBS_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
- name: BGJOBS_JOB_NAMESPACES
  value: {{ (include "bgjobs.jobNamespaces" . | fromJson).list | join "," | quote }}
- name: BGJOBS_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- end }}

{{/* The questions that the kubelet asks: until the program has begun, whether it lives, and whether it can serve. */}}
{{- define "bgjobs.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
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

{{/* The certificate authority of the identity provider, which the API and oauth2-proxy check. */}}
{{- define "bgjobs.oidcCaFile" -}}
{{- if and (eq (include "bgjobs.auth" $) "oidc") .Values.dashboard.oidc.caConfigMap -}}/etc/bgjobs/oidc-ca/ca.crt{{- end -}}
{{- end }}
{{- define "bgjobs.oidcCaVolume" -}}
{{- if include "bgjobs.oidcCaFile" . -}}
- name: oidc-ca
  configMap: {name: {{ .Values.dashboard.oidc.caConfigMap | quote }}, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end }}
{{- define "bgjobs.oidcCaMount" -}}
{{- if include "bgjobs.oidcCaFile" . -}}
- {name: oidc-ca, mountPath: /etc/bgjobs/oidc-ca, readOnly: true}
{{- end }}
{{- end }}

{{/* Keeps all but one pod of a component with several. Takes (root, component, number of replicas). */}}
{{- define "bgjobs.disruptionBudget" -}}
{{- if gt (int (index . 2)) 1 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "bgjobs.fullname" (index . 0) }}-{{ index . 1 }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "bgjobs.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow # a pod that does not work holds up no drain of its node
  selector:
    matchLabels:
      {{- include "bgjobs.selector" . | nindent 6 }}
{{- end }}
{{- end }}
