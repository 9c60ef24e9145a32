{{/*
Mistakes that one value alone does not show: values.schema.json finds the others. All are told at once,
each with the value to change.
*/}}
{{- define "airnub.validate" -}}
{{- $problems := list -}}
{{- range list "release" "departments" "api" "database" "objectStore" "development" "production" "tests" -}}
{{- $found := include (printf "airnub.validate.%s" .) $ | trim -}}
{{- if $found }}{{ $problems = append $problems $found }}{{ end -}}
{{- end -}}
{{- if $problems }}
{{- fail (printf "\n\n%s\n" (join "\n" $problems)) }}
{{- end -}}
{{- end }}

{{- define "airnub.validate.release" -}}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$" .Release.Name) }}
- Release name {{ .Release.Name }}: at most 16 letters, digits and dashes, because names of namespaces begin with it.
{{- end }}
{{- if and .Values.server.ingress.enabled (not .Values.server.ingress.host) }}
- server.ingress.host is empty: name the host of the Ingress.
{{- end }}
{{- if lt (int .Values.selfHealing.zombieSeconds) (mul 2 (int .Values.selfHealing.heartbeatSeconds)) }}
- selfHealing.zombieSeconds ({{ .Values.selfHealing.zombieSeconds }}): one lost heartbeat would end a healthy run. Use at least twice selfHealing.heartbeatSeconds ({{ .Values.selfHealing.heartbeatSeconds }}).
{{- end }}
{{- end }}

{{- define "airnub.validate.departments" -}}
{{- $file := .Files.Get "files/departments.yaml" | fromYaml -}}
{{- with $file.Error }}
- files/departments.yaml is not YAML: {{ . }}. Run `airnub render`.
{{- end }}
{{- $departments := include "airnub.departments" . | fromYaml -}}
{{- if not $departments }}
- There are no departments: run `airnub render`, or set departments.
{{- end }}
{{- $seen := dict -}}
{{- range $id, $department := $departments }}
{{- if gt (len $department.namespace) 63 }}
- departments.{{ $id }}.namespace: {{ $department.namespace }} is longer than 63 characters with the release's name.
{{- end }}
{{- with index $seen $department.namespace }}
- departments.{{ $id }}.namespace: {{ $department.namespace }} is that of {{ . }} too. Each department needs its own.
{{- end }}
{{- $_ := set $seen $department.namespace $id -}}
{{- if gt (len (printf "%s-worker-%s" $.Release.Name $department.workPool)) 63 }}
- departments.{{ $id }}.workPool: {{ $department.workPool }} is too long: its worker's name would exceed 63 characters.
{{- end }}
{{- end }}
{{- $pools := include "airnub.pools" . | fromYaml -}}
{{- range $name, $_ := .Values.workPools }}
{{- if not (hasKey $pools $name) }}
- workPools.{{ $name }}: no department uses this pool. There are: {{ keys $pools | sortAlpha | join ", " }}.
{{- end }}
{{- end }}
{{- range $id, $_ := .Values.developmentSecrets.departments }}
{{- if not (hasKey $departments $id) }}
- developmentSecrets.departments.{{ $id }}: there is no such department. There are: {{ keys $departments | sortAlpha | join ", " }}.
{{- end }}
{{- end }}
{{- end }}

{{- define "airnub.validate.api" -}}
{{- if .Values.server.enabled }}
{{- if or .Values.apiUrl .Values.apiKey.existingSecret }}
- apiUrl and apiKey.existingSecret are for an existing API: leave them empty, or set server.enabled=false.
{{- end }}
{{- else }}
{{- if not .Values.apiUrl }}
- apiUrl is empty: with server.enabled=false, name the existing API, such as https://prefect.example.com/api.
{{- end }}
{{- if not (or .Values.apiKey.existingSecret .Values.auth.existingSecret .Values.developmentSecrets.authString) }}
- Neither apiKey.existingSecret (Prefect Cloud) nor auth.existingSecret (basic authentication): an existing API needs one of them.
{{- end }}
{{- if and .Values.apiKey.existingSecret .Values.auth.existingSecret }}
- apiKey.existingSecret and auth.existingSecret: Prefect sends only one of them. Leave the other empty.
{{- end }}
{{- end }}
{{- end }}

{{- define "airnub.validate.database" -}}
{{- $database := .Values.server.database -}}
{{- $connections := add1 (add (int $database.poolSize) (int $database.maxOverflow)) -}}
{{- if not .Values.server.enabled }}
{{- if .Values.postgresql.enabled }}
- postgresql.enabled: the database is the server's. With server.enabled=false, set postgresql.enabled=false too.
{{- end }}
{{- else if .Values.postgresql.enabled }}
{{- if or .Values.externalDatabase.host .Values.externalDatabase.existingSecret }}
- externalDatabase.host and existingSecret are for a database outside the chart: leave them empty, or set postgresql.enabled=false.
{{- end }}
{{- if ge $connections (int64 .Values.postgresql.maxConnections) }}
- postgresql.maxConnections ({{ .Values.postgresql.maxConnections }}): the server may open {{ $connections }} (server.database.poolSize + maxOverflow + 1). Allow more.
{{- end }}
{{- else }}
{{- if not .Values.externalDatabase.host }}
- externalDatabase.host is empty: with postgresql.enabled=false, name the host.
{{- end }}
{{- if and .Values.externalDatabase.tls.caSecret (not .Values.externalDatabase.tls.enabled) }}
- externalDatabase.tls.caSecret has no effect: set externalDatabase.tls.enabled=true too.
{{- end }}
{{- if not .Values.externalDatabase.existingSecret }}
{{- include "airnub.validate.missing" (dict "root" . "value" "externalDatabase.existingSecret" "name" "database" "keys" (dict "username" "prefect" "password" "...")) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "airnub.validate.objectStore" -}}
{{- if and .Values.objectStore.enabled .Values.s3.endpointUrl }}
- s3.endpointUrl is for an object store outside the chart: leave it empty, or set objectStore.enabled=false.
{{- end }}
{{- end }}

{{- define "airnub.validate.development" -}}
{{- if and .Values.sources.enabled (not .Values.developmentSecrets.sourcesToken) }}
- developmentSecrets.sourcesToken is empty: the sample sources need a token.
{{- end }}
{{- with .Values.developmentSecrets.objectStore.rootPassword }}
{{- if lt (len .) 8 }}
- developmentSecrets.objectStore.rootPassword: the object store refuses fewer than 8 characters.
{{- end }}
{{- end }}
{{- end }}

{{/* Staging and prod: no credentials in values, every Secret named. */}}
{{- define "airnub.validate.production" -}}
{{- if ne .Values.environment "local" }}
{{- range $name := include "airnub.developmentSecretNames" . | fromJsonArray }}
- developmentSecrets.{{ $name }} is set: environment {{ $.Values.environment }} takes credentials from Secrets alone.
{{- end }}
{{- if .Values.sources.enabled }}
- sources.enabled: the sample sources are for development. Set sources.enabled=false.
{{- end }}
{{- if .Values.server.enabled }}
{{- if not .Values.auth.existingSecret }}
{{- include "airnub.validate.missing" (dict "root" . "value" "auth.existingSecret" "name" "api-auth" "departments" true "keys" (dict "auth-string" "airnub:$(openssl rand -hex 24)")) }}
{{- end }}
{{- if not .Values.server.encryptionKey.existingSecret }}
{{- include "airnub.validate.missing" (dict "root" . "value" "server.encryptionKey.existingSecret" "name" "server" "keys" (dict "encryption-key" "$(openssl rand -base64 32 | tr '+/' '-_')")) }}
{{- end }}
{{- if and .Values.postgresql.enabled (not .Values.postgresql.auth.existingSecret) }}
{{- include "airnub.validate.missing" (dict "root" . "value" "postgresql.auth.existingSecret" "name" "postgresql" "keys" (dict "username" "prefect" "password" "$(openssl rand -hex 24)")) }}
{{- end }}
{{- end }}
{{- if .Values.objectStore.enabled }}
{{- if not .Values.objectStore.auth.existingSecret }}
{{- include "airnub.validate.missing" (dict "root" . "value" "objectStore.auth.existingSecret" "name" "object-store" "keys" (dict "root-user" "airnub-root" "root-password" "$(openssl rand -hex 24)")) }}
{{- end }}
{{- if not .Values.objectStore.users.existingSecret }}
{{- $keys := dict -}}
{{- range $id, $_ := include "airnub.departments" . | fromYaml -}}
{{- $_ := set $keys (printf "%s.access-key-id" $id) ($id | replace "_" "-") -}}
{{- $_ := set $keys (printf "%s.secret-access-key" $id) "..." -}}
{{- end -}}
{{- include "airnub.validate.missing" (dict "root" . "value" "objectStore.users.existingSecret" "name" "s3-users" "keys" $keys) }}
{{- end }}
{{- end }}
{{- if not .Values.s3.existingSecret }}
{{- include "airnub.validate.missing" (dict "root" . "value" "s3.existingSecret" "name" "s3" "onlyDepartments" true "keys" (dict "access-key-id" "..." "secret-access-key" "...")) }}
{{- end }}
{{- end }}
{{- end }}

{{/* One missing Secret: which value, which keys, and the command that makes it. */}}
{{- define "airnub.validate.missing" -}}
{{- $command := printf "kubectl create secret generic %s-%s" .root.Release.Name .name -}}
{{- $literals := "" -}}
{{- range $key, $value := .keys }}{{ $literals = printf "%s --from-literal=%s=\"%s\"" $literals $key $value }}{{ end }}
- {{ .value }} is empty. It names a Secret with {{ eq (len .keys) 1 | ternary "the key" "the keys" }} {{ keys .keys | sortAlpha | join ", " }}
{{- if .onlyDepartments }} in every department's namespace, with that department's own values{{ end }}. Make it, and name it:
    {{ $command }} --namespace {{ .onlyDepartments | default false | ternary "NAMESPACE" .root.Release.Namespace }}{{ $literals }}
    --set {{ .value }}={{ .root.Release.Name }}-{{ .name }}
{{- if or .departments .onlyDepartments }}
  Namespaces of departments are there after the first install: kubectl get namespaces -l airnub.io/release={{ .root.Release.Name }}
{{- if .departments }} (each needs a copy of this Secret){{ end }}
{{- end }}
{{- end }}

{{/* JSON list of the development credentials that are set. */}}
{{- define "airnub.developmentSecretNames" -}}
{{- $names := list -}}
{{- range $name, $value := .Values.developmentSecrets -}}
{{- if kindIs "map" $value -}}
{{- range $key, $inner := $value }}{{ if $inner }}{{ $names = append $names (printf "%s.%s" $name $key) }}{{ end }}{{ end -}}
{{- else if $value -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{ $names | toJson }}
{{- end }}

{{- define "airnub.validate.tests" -}}
{{- if .Values.tests.run -}}
{{- $departments := include "airnub.departments" . | fromYaml -}}
{{- if not (hasKey $departments .Values.tests.department) }}
- tests.department: there is no department {{ .Values.tests.department }}. Name one of {{ keys $departments | sortAlpha | join ", " }}, or set tests.run=false.
{{- else }}
{{- $quota := (index $departments .Values.tests.department).quota -}}
{{- $test := .Values.tests.resources -}}
{{- $needs := list
      (list "cpu" $test.requests.cpu .Values.job.cpuRequest)
      (list "memory" $test.limits.memory .Values.job.memoryLimit) -}}
{{- range $needs }}
{{- $what := index . 0 }}{{ $own := index . 1 }}{{ $run := index . 2 }}
{{- if lt (include "airnub.amount" (index $quota $what) | float64) (addf (include "airnub.amount" $own | float64) (include "airnub.amount" $run | float64)) }}
- tests.department: {{ $.Values.tests.department }} has {{ index $quota $what }} of {{ $what }}, and `helm test` needs {{ $own }} while it waits for its run of {{ $run }}. Raise departments.{{ $.Values.tests.department }}.quota.{{ $what }}, name another department, or set tests.run=false.
{{- end }}
{{- end }}
{{- if lt (int $quota.pods) 2 }}
- tests.department: {{ .Values.tests.department }} has room for one pod, and `helm test` needs another one while it waits for its run. Raise departments.{{ .Values.tests.department }}.quota.pods, name another department, or set tests.run=false.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A quantity of Kubernetes as a number: 500m is 0.5, 1Ki is 1024. */}}
{{- define "airnub.amount" -}}
{{- $factors := dict "m" 0.001 "" 1.0 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{ mulf ($number | float64) (index $factors (trimPrefix $number .)) }}
{{- end }}
