{{/*
An image by digest. Call with a dict: root (the chart's root context), component (its name in messages),
path (where it is in the values) and image (the value itself: repository, digest).
*/}}
{{- define "lib.image" -}}
{{- $image := .image | default dict -}}
{{- if not $image.repository -}}
{{- fail (include "lib.imageCure" (dict "root" .root "component" .component "path" .path "key" "repository" "expected" "a registry's name and path, such as registry:5000/sluice/backend" "example" "<registry>/<path>")) -}}
{{- end -}}
{{- if not $image.digest -}}
{{- fail (include "lib.imageCure" (dict "root" .root "component" .component "path" .path "key" "digest" "expected" "sha256: and 64 hexadecimal digits" "example" "sha256:<digest>")) -}}
{{- end -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- end -}}

{{- define "lib.imageCure" -}}
{{- printf "\n\nthe chart %s names no %s for the image of %s\n  found:    %s.%s = \"\"\n  expected: %s\n  next:     ./nox -s e2e builds the images and passes it; by hand add --set-string %s.%s=%s\n" .root.Chart.Name .key .component .path .key .expected .path .key .example -}}
{{- end -}}

{{/* The pull secrets of a pod, where a registry asks for them. */}}
{{- define "lib.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
