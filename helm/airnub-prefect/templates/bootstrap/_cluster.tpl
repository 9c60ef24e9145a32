{{/* cluster.yaml: what bootstrap must know of the cluster and cannot find in the project. */}}
{{- define "airnub.cluster" -}}
{{- $job := .Values.job -}}
release: {{ .Release.Name }}
api_url: {{ include "airnub.apiUrl" . | quote }}
api_embedded: {{ .Values.server.enabled }}
flows_image: {{ include "airnub.image" (dict "root" . "image" "flows") | quote }}
image_pull_policy: {{ .Values.images.flows.pullPolicy }}
image_pull_secrets: {{ .Values.imagePullSecrets | toJson }}
s3:
  endpoint_url: {{ include "airnub.s3Endpoint" . | default nil | toJson }}
  region: {{ .Values.s3.region | quote }}
  secret_name: {{ include "airnub.secret.s3" . }}
  embedded: {{ .Values.objectStore.enabled }}
department_secret_name: {{ include "airnub.secret.department" . }}
job:
  cpu_request: {{ $job.cpuRequest | quote }}
  memory_request: {{ $job.memoryRequest | quote }}
  memory_limit: {{ $job.memoryLimit | quote }}
  scratch_size_limit: {{ $job.scratchSizeLimit | quote }}
  ttl_seconds_after_finished: {{ $job.ttlSecondsAfterFinished | int }}
  active_deadline_seconds: {{ $job.activeDeadlineSeconds | int }}
  termination_grace_period_seconds: {{ $job.terminationGracePeriodSeconds | int }}
  backoff_limit: {{ $job.backoffLimit | int }}
  priority_class_name: {{ $job.priorityClassName | default (printf "%s-flows-default" .Release.Name) }}
  env: {{ mergeOverwrite (include "airnub.loggingSettings" . | fromYaml) (deepCopy $job.env) | toJson }}
pools:
{{- range $name, $pool := include "airnub.pools" . | fromYaml }}
  {{ $name }}: {concurrency_limit: {{ $pool.concurrencyLimit | int }}}
{{- end }}
self_healing:
  heartbeat_seconds: {{ .Values.selfHealing.heartbeatSeconds | int }}
  zombie_seconds: {{ .Values.selfHealing.zombieSeconds | int }}
  stuck_start_seconds: {{ .Values.selfHealing.stuckStartSeconds | int }}
generic:
  work_pool: {{ include "airnub.genericPool" . }}
  namespace: {{ .Release.Namespace }}
  service_account: {{ .Release.Name }}-generic
  config_map: {{ .Release.Name }}-cluster
  labels: {{ include "airnub.selectorLabels" (dict "root" . "component" "generic") | fromYaml | toJson }}
  env: {{ include "airnub.addresses" . | fromYaml | toJson }}
departments:
  {{- include "airnub.departments" . | nindent 2 }}
{{- end }}
