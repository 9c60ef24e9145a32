{{/* Reference of an image: (dict "root" $ "image" "platform"). */}}
{{- define "airnub.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- if $image.ref -}}
{{ $image.ref }}
{{- else -}}
{{- with .root.Values.global.imageRegistry | default $image.registry }}{{ . }}/{{ end -}}
{{ $image.repository }}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Image fields of a container: (dict "root" $ "image" "platform"). */}}
{{- define "airnub.imageFields" -}}
image: {{ include "airnub.image" . }}
imagePullPolicy: {{ (index .root.Values.images .image).pullPolicy }}
{{- end }}
