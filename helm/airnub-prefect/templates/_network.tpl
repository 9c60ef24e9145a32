{{/* Fields of a NetworkPolicy: (dict "root" $ "name" "server" "namespace" "airnub"). */}}
{{- define "airnub.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "airnub.labels" (dict "root" .root "component" "network") | nindent 4 }}
{{- end }}

{{/* Pods of the release's components: (dict "root" $ "components" (list "server")). */}}
{{- define "airnub.podsOf" -}}
matchLabels:
  app.kubernetes.io/name: {{ .root.Chart.Name }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
matchExpressions:
- {key: app.kubernetes.io/component, operator: In, values: {{ .components | toJson }}}
{{- end }}

{{/* A peer: pods of the release's components, seen from any namespace. */}}
{{- define "airnub.peer" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .root.Release.Namespace }}}
  podSelector:
    {{- include "airnub.podsOf" . | nindent 4 }}
{{- end }}

{{/* A peer: all pods of the release's departments. */}}
{{- define "airnub.departmentPeer" -}}
- namespaceSelector:
    matchLabels: {airnub.io/release: {{ .Release.Name }}}
{{- end }}

{{/* Egress rule: DNS. */}}
{{- define "airnub.egress.dns" -}}
- to:
  - namespaceSelector:
      matchLabels: {kubernetes.io/metadata.name: kube-system}
    podSelector:
      matchLabels: {k8s-app: kube-dns}
  {{- range .Values.networkPolicy.dns.cidrs }}
  - ipBlock: {cidr: {{ . }}}
  {{- end }}
  ports:
  - {port: 53, protocol: UDP}
  - {port: 53, protocol: TCP}
{{- end }}

{{/* Egress rule: addresses outside; none for the internet. (dict "root" $ "cidrs" list "ports" list) */}}
{{- define "airnub.egress.outside" -}}
- to:
  {{- range .cidrs }}
  - ipBlock: {cidr: {{ . }}}
  {{- else }}
  - ipBlock: {cidr: 0.0.0.0/0, except: {{ .root.Values.networkPolicy.internetExcept | toJson }}}
  {{- end }}
  ports:
  {{- range .ports }}
  - {port: {{ . | int }}, protocol: TCP}
  {{- end }}
{{- end }}

{{/* Egress rule: an external service, at the port of its address and those of the values: (dict "root" $ "url" "https://…"). */}}
{{- define "airnub.egress.external" -}}
{{- $external := .root.Values.networkPolicy.external -}}
{{- $ports := list (include "airnub.port" .url | int) -}}
{{- range $external.ports }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- include "airnub.egress.outside" (dict "root" .root "cidrs" $external.cidrs "ports" (uniq $ports)) }}
{{- end }}

{{/* Port of an address, which may name none. */}}
{{- define "airnub.port" -}}
{{- $url := urlParse . -}}
{{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") }}
{{- end }}

{{/* Egress rule: Prefect's API. */}}
{{- define "airnub.egress.api" -}}
{{- if .Values.server.enabled -}}
- to:
  {{- include "airnub.peer" (dict "root" . "components" (list "server")) | nindent 2 }}
  ports:
  - {port: 4200, protocol: TCP}
{{- else -}}
{{ include "airnub.egress.external" (dict "root" . "url" .Values.apiUrl) }}
{{- end -}}
{{- end }}

{{/* Egress rule: the object store. */}}
{{- define "airnub.egress.objectStore" -}}
{{- if .Values.objectStore.enabled -}}
- to:
  {{- include "airnub.peer" (dict "root" . "components" (list "object-store")) | nindent 2 }}
  ports:
  - {port: 9000, protocol: TCP}
{{- else -}}
{{ include "airnub.egress.external" (dict "root" . "url" .Values.s3.endpointUrl) }}
{{- end -}}
{{- end }}
