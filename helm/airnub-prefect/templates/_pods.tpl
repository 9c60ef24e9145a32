{{/*
Fields of every pod's spec: (dict "root" $ "uid" 10001). Pod Security "restricted"; no token, since
only the worker talks to Kubernetes; no service links, since PREFECT_SERVER_PORT=tcp://… of a Service
breaks Prefect's settings.
*/}}
{{- define "airnub.podFields" -}}
enableServiceLinks: false
automountServiceAccountToken: {{ .token | default false }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .uid }}
  runAsGroup: {{ .uid }}
  fsGroup: {{ .uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .root.Values.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Security context of every container. */}}
{{- define "airnub.containerFields" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Environment of every container with Python: the root file system is read-only. */}}
{{- define "airnub.pythonEnv" -}}
- {name: HOME, value: /tmp/home}
- {name: DO_NOT_TRACK, value: "1"}
{{- end }}

{{/* Settings of Prefect's console log: name → value. */}}
{{- define "airnub.loggingSettings" -}}
{{ .Values.logging.json | ternary (dict "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER" "json") dict | toYaml }}
{{- end }}

{{/* Environment of a client of the API. */}}
{{- define "airnub.apiEnv" -}}
- {name: PREFECT_API_URL, value: {{ include "airnub.apiUrl" . | quote }}}
{{- if .Values.apiKey.existingSecret }}
- name: PREFECT_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .Values.apiKey.existingSecret }}, key: api-key}}
{{- else }}
- name: PREFECT_API_AUTH_STRING
  valueFrom: {secretKeyRef: {name: {{ include "airnub.secret.auth" . }}, key: auth-string}}
{{- end }}
{{- end }}

{{/* Environment of a container of the flows image that is no flow run: bootstrap and tests. */}}
{{- define "airnub.projectEnv" -}}
{{ include "airnub.pythonEnv" . }}
- {name: PREFECT_HOME, value: /tmp/prefect}
- {name: AIRNUB_HOME, value: /tmp/airnub}
- {name: AIRNUB_STORE_URL, value: {{ include "airnub.storeUrl" . | quote }}}
{{ include "airnub.apiEnv" . }}
{{- range $name, $address := include "airnub.addresses" . | fromYaml }}
- {name: {{ $name }}, value: {{ $address | quote }}}
{{- end }}
{{- end }}

{{/* What ${NAME} stands for in configs/variables. */}}
{{- define "airnub.addresses" -}}
{{- $addresses := deepCopy .Values.addresses -}}
{{- if .Values.sources.enabled -}}
{{- $host := include "airnub.host" (dict "root" . "component" "sources") -}}
{{- $_ := set $addresses "SOURCES_URL" (printf "http://%s:8080" $host) -}}
{{- $_ := set $addresses "SOURCES_DATABASE_URL" (printf "postgresql://reader@%s:5432/flights" $host) -}}
{{- if not (hasKey $addresses "WAREHOUSE_URL") -}}
{{- $_ := set $addresses "WAREHOUSE_URL" (printf "postgresql://warehouse@%s:5432/flights" $host) -}}
{{- end -}}
{{- end -}}
{{- if not (hasKey $addresses "WAREHOUSE_URL") -}}
{{- $_ := set $addresses "WAREHOUSE_URL" "none" -}}
{{- end -}}
{{- if and (hasKey $addresses "SOURCES_URL") (not (hasKey $addresses "TELCO_SOURCE")) -}}
{{- $_ := set $addresses "TELCO_SOURCE" (printf "%s/files/telco_customer_churn.csv" $addresses.SOURCES_URL) -}}
{{- end -}}
{{ toYaml $addresses }}
{{- end }}

{{/* Environment that names a department's store and its key. */}}
{{- define "airnub.s3Env" -}}
{{- with include "airnub.s3Endpoint" . }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
- {name: AWS_REGION, value: {{ .Values.s3.region }}}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ include "airnub.secret.s3" . }}, key: access-key-id}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ include "airnub.secret.s3" . }}, key: secret-access-key}}
{{- end }}

{{/* Restarts pods when one of the development Secrets changes, which they read only once: (pick .Values.developmentSecrets "authString"). */}}
{{- define "airnub.secretChecksum" -}}
checksum/development-secrets: {{ . | toJson | sha256sum }}
{{- end }}
