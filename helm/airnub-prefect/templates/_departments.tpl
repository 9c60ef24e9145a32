{{/*
The departments, complete: identifier → displayName, namespace (with the release's name), serviceAccount,
workPool, quota, and the image of its runs if it is not that of the release. `files/departments.yaml` with `departments` of the values over it.
*/}}
{{- define "airnub.departments" -}}
{{- $release := .Release.Name -}}
{{- $file := .Files.Get "files/departments.yaml" | fromYaml -}}
{{- $departments := dict -}}
{{- range $id, $given := mergeOverwrite $file (deepCopy .Values.departments) -}}
{{- $department := dict
      "displayName" ($given.displayName | default $id)
      "namespace" (printf "%s-%s" $release ($given.namespace | default (printf "dept-%s" ($id | replace "_" "-"))))
      "serviceAccount" ($given.serviceAccount | default "flow-run")
      "workPool" ($given.workPool | default "airnub")
      "quota" (merge (deepCopy ($given.quota | default dict)) (dict "cpu" "4" "memory" "8Gi" "pods" 20)) -}}
{{- with $given.image }}{{- $_ := set $department "image" . -}}{{- end -}}
{{- $_ := set $departments $id $department -}}
{{- end -}}
{{ toYaml $departments }}
{{- end }}

{{/* The pools, complete: name → replicas, concurrencyLimit, querySeconds, heartbeatSeconds, resources, namespaces. */}}
{{- define "airnub.pools" -}}
{{- $pools := dict -}}
{{- range $id, $department := include "airnub.departments" . | fromYaml -}}
{{- $name := $department.workPool -}}
{{- $pool := index $pools $name | default (mergeOverwrite (deepCopy $.Values.workers) (deepCopy (index $.Values.workPools $name | default dict)) (dict "namespaces" list)) -}}
{{- $_ := set $pool "namespaces" (append $pool.namespaces $department.namespace) -}}
{{- $_ := set $pools $name $pool -}}
{{- end -}}
{{- with index $pools (include "airnub.genericPool" .) -}}
{{- $_ := set . "namespaces" (append .namespaces $.Release.Namespace) -}}
{{- end -}}
{{ toYaml $pools }}
{{- end }}

{{/* The pool whose worker runs the flows of no department, as Jobs beside it: airnub, or the first by name. */}}
{{- define "airnub.genericPool" -}}
{{- $names := list -}}
{{- range include "airnub.departments" . | fromYaml }}{{ $names = append $names .workPool }}{{ end -}}
{{ has "airnub" $names | ternary "airnub" (sortAlpha $names | first | default "airnub") }}
{{- end }}

{{/* Access key of a department on the chart's own object store: (dict "root" $ "id" "project_alpha"). */}}
{{- define "airnub.s3AccessKey" -}}
{{ .id | replace "_" "-" }}
{{- end }}
{{- define "airnub.s3SecretKey" -}}
{{ printf "%s/%s" .root.Values.developmentSecrets.s3Seed .id | sha256sum | trunc 40 }}
{{- end }}

{{/* Labels of what belongs to a department: (dict "root" $ "id" "project_alpha"). */}}
{{- define "airnub.departmentLabels" -}}
{{ include "airnub.labels" (dict "root" .root "component" "department") }}
airnub.io/release: {{ .root.Release.Name }}
airnub.io/department: {{ .id }}
{{- end }}
