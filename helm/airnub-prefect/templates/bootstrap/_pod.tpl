{{/* Spec of the bootstrap Job. */}}
{{- define "airnub.bootstrapSpec" -}}
{{- $bootstrap := .Values.bootstrap -}}
backoffLimit: {{ $bootstrap.backoffLimit | int }}
activeDeadlineSeconds: {{ $bootstrap.activeDeadlineSeconds | int }}
ttlSecondsAfterFinished: {{ $bootstrap.ttlSecondsAfterFinished | int }}
podFailurePolicy:
  rules:
  # Exit codes of common/errors.py that another try will not change. Others, such as 6 (the API cannot
  # be reached) and 1 (several errors of different kinds), are tried again.
  - action: FailJob
    onExitCodes: {containerName: bootstrap, operator: In, values: [2, 3, 4, 5, 8, 9, 10, 11, 12, 14, 17, 19, 20, 21, 22, 25, 26, 29, 30, 40, 50, 51, 70]}
  - action: Ignore
    onPodConditions:
    - {type: DisruptionTarget, status: "True"}
template:
  metadata:
    labels:
      {{- include "airnub.labels" (dict "root" . "component" "bootstrap") | nindent 6 }}
  spec:
    {{- include "airnub.podFields" (dict "root" . "uid" 10001) | nindent 4 }}
    restartPolicy: Never
    containers:
    - name: bootstrap
      {{- include "airnub.bootstrapContainer" . | nindent 6 }}
      args: [airnub, bootstrap]
      resources:
        {{- toYaml $bootstrap.resources | nindent 8 }}
    volumes:
    {{- include "airnub.bootstrapVolumes" . | nindent 4 }}
{{- end }}

{{/* What bootstrap and its check have in common. */}}
{{- define "airnub.bootstrapContainer" -}}
{{ include "airnub.imageFields" (dict "root" . "image" "flows") }}
{{ include "airnub.containerFields" . }}
env:
{{ include "airnub.projectEnv" . }}
- {name: AIRNUB_CLUSTER_FILE, value: /etc/airnub/cluster.yaml}
{{- if .Values.objectStore.enabled }}
- name: OBJECT_STORE_ROOT_USER
  valueFrom: {secretKeyRef: {name: {{ include "airnub.secret.objectStore" . }}, key: root-user}}
- name: OBJECT_STORE_ROOT_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ include "airnub.secret.objectStore" . }}, key: root-password}}
{{- end }}
volumeMounts:
- {name: cluster, mountPath: /etc/airnub/cluster.yaml, subPath: cluster.yaml, readOnly: true}
{{- if .Values.objectStore.enabled }}
- {name: s3-users, mountPath: /etc/airnub/s3-users, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "airnub.bootstrapVolumes" -}}
- name: cluster
  configMap: {name: {{ .Release.Name }}-cluster}
{{- if .Values.objectStore.enabled }}
- name: s3-users
  secret: {secretName: {{ include "airnub.secret.s3Users" . }}}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
