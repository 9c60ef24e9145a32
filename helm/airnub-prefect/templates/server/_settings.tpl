{{/* Settings of the server: name → value; `server.env` wins. */}}
{{- define "airnub.serverSettings" -}}
{{- $server := .Values.server -}}
{{- $ui := include "airnub.externalUrl" . -}}
{{- $settings := dict
      "PREFECT_SERVER_ANALYTICS_ENABLED" "false"
      "PREFECT_SERVER_LOGGING_LEVEL" $server.logLevel
      "PREFECT_SERVER_UI_API_URL" (printf "%s/api" $ui)
      "PREFECT_UI_URL" $ui
      "PREFECT_SERVER_UI_STATIC_DIRECTORY" "/tmp/ui"
      "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT" "false"
      "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS" ($server.corsAllowedOrigins | default $ui)
      "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED" ($server.csrfProtection | toString)
      "PREFECT_SERVER_METRICS_ENABLED" ($server.metrics | toString)
      "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE" ($server.database.poolSize | int | toString)
      "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW" ($server.database.maxOverflow | int | toString)
      "PREFECT_SERVER_DATABASE_TIMEOUT" ($server.database.timeoutSeconds | int | toString)
      "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT" ($server.database.connectionTimeoutSeconds | int | toString)
      "PREFECT_SERVER_EVENTS_RETENTION_PERIOD" $server.retention.events
      "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED" "events,flow_runs"
      "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD" $server.retention.flowRuns
      "PREFECT_SERVER_SERVICES_DB_VACUUM_EVENT_RETENTION_OVERRIDES" (dict "prefect.flow-run.heartbeat" $server.retention.heartbeats | toJson)
      "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS" ($server.cancellingTimeoutSeconds | int | toString)
      "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE" "100"
      "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE" "100"
      "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL" "1"
      "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE" "100"
      "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE" "100"
      "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL" "1" -}}
{{- if and (not .Values.postgresql.enabled) .Values.externalDatabase.tls.enabled -}}
{{- $_ := set $settings "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_ENABLED" "true" -}}
{{- if .Values.externalDatabase.tls.caSecret -}}
{{- $_ := set $settings "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS_CA_FILE" "/etc/airnub/database-ca/ca.crt" -}}
{{- end -}}
{{- end -}}
{{ toYaml (mergeOverwrite $settings (include "airnub.loggingSettings" . | fromYaml) (deepCopy $server.env)) }}
{{- end }}
