{{/*
Everything of a test but its container: (dict "root" $ "name" "api" "namespace" "airnub" "component" "test"
"weight" 0). Jobs, since `helm test --logs` looks for pods in the release's namespace alone; by the
log policy it prints what they say anyway.
*/}}
{{- define "airnub.testJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .root.Release.Name }}-test-{{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "airnub.labels" (dict "root" .root "component" .component) | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-weight: {{ .weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-output-log-policy: hook-failed,hook-succeeded
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{ .root.Values.tests.timeoutSeconds | int }}
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels:
        {{- include "airnub.labels" (dict "root" .root "component" .component) | nindent 8 }}
    spec:
      {{- include "airnub.podFields" (dict "root" .root "uid" 10001) | nindent 6 }}
      restartPolicy: Never
{{- end }}

{{/* Fields of a test's container that runs a command of the project. */}}
{{- define "airnub.testContainer" -}}
{{ include "airnub.imageFields" (dict "root" . "image" "flows") }}
{{ include "airnub.containerFields" . }}
resources:
  {{- toYaml .Values.tests.resources | nindent 2 }}
volumeMounts:
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* The volume of such a container. */}}
{{- define "airnub.testVolumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- end }}
