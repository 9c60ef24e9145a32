{{/* Labels of an object: (dict "root" $ "component" "server"). */}}
{{- define "airnub.labels" -}}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{ include "airnub.selectorLabels" . }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What selects a component's pods; a Deployment's selector can never change. */}}
{{- define "airnub.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Host of a component's Service as pods of every namespace see it: (dict "root" $ "component" "server"). */}}
{{- define "airnub.host" -}}
{{ .root.Release.Name }}-{{ .component }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.clusterDomain }}
{{- end }}

{{/* Names of the Secrets. */}}
{{- define "airnub.secret.auth" -}}
{{ .Values.auth.existingSecret | default (printf "%s-api-auth" .Release.Name) }}
{{- end }}
{{- define "airnub.secret.server" -}}
{{ .Values.server.encryptionKey.existingSecret | default (printf "%s-server" .Release.Name) }}
{{- end }}
{{- define "airnub.secret.database" -}}
{{- if .Values.postgresql.enabled -}}
{{ .Values.postgresql.auth.existingSecret | default (printf "%s-postgresql" .Release.Name) }}
{{- else -}}
{{ .Values.externalDatabase.existingSecret }}
{{- end -}}
{{- end }}
{{- define "airnub.secret.objectStore" -}}
{{ .Values.objectStore.auth.existingSecret | default (printf "%s-object-store" .Release.Name) }}
{{- end }}
{{- define "airnub.secret.s3Users" -}}
{{ .Values.objectStore.users.existingSecret | default (printf "%s-s3-users" .Release.Name) }}
{{- end }}
{{- define "airnub.secret.s3" -}}
{{ .Values.s3.existingSecret | default (printf "%s-s3" .Release.Name) }}
{{- end }}
{{- define "airnub.secret.department" -}}
{{ .Values.departmentDefaults.existingSecret | default (printf "%s-secrets" .Release.Name) }}
{{- end }}

{{/* Addresses. */}}
{{- define "airnub.apiUrl" -}}
{{- if .Values.server.enabled -}}
http://{{ include "airnub.host" (dict "root" . "component" "server") }}:4200/api
{{- else -}}
{{ .Values.apiUrl }}
{{- end -}}
{{- end }}
{{- define "airnub.externalUrl" -}}
{{- if .Values.server.externalUrl -}}
{{ .Values.server.externalUrl }}
{{- else if .Values.server.ingress.enabled -}}
{{ ternary "https" "http" (ne .Values.server.ingress.tlsSecret "") }}://{{ .Values.server.ingress.host }}
{{- else -}}
http://localhost:4200
{{- end -}}
{{- end }}
{{- define "airnub.storeUrl" -}}
s3://{{ .Values.s3.bucket }}/{{ .Values.s3.prefix }}
{{- end }}
{{- define "airnub.s3Endpoint" -}}
{{- if .Values.objectStore.enabled -}}
http://{{ include "airnub.host" (dict "root" . "component" "object-store") }}:9000
{{- else -}}
{{ .Values.s3.endpointUrl }}
{{- end -}}
{{- end }}
