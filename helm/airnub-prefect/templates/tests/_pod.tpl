{{/* Metadata of a test: (dict "root" $ "name" "api" "namespace" "airnub" "component" "test" "weight" 0). */}}
{{- define "airnub.testMetadata" -}}
name: {{ .root.Release.Name }}-test-{{ .name }}
namespace: {{ .namespace }}
labels:
  {{- include "airnub.labels" (dict "root" .root "component" .component) | nindent 2 }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  helm.sh/hook-output-log-policy: hook-failed
{{- end }}

{{/* Fields of a test's pod. */}}
{{- define "airnub.testPod" -}}
{{ include "airnub.podFields" (dict "root" . "uid" 10001) }}
restartPolicy: Never
activeDeadlineSeconds: {{ .Values.tests.timeoutSeconds | int }}
{{- end }}

{{/* Fields of a test's container that runs a command of the project. */}}
{{- define "airnub.testContainer" -}}
{{ include "airnub.imageFields" (dict "root" . "image" "flows") }}
{{ include "airnub.containerFields" . }}
resources:
  {{- toYaml .Values.tests.resources | nindent 2 }}
{{- end }}
