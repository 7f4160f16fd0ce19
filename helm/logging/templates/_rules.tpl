{{/* The rule files that Loki's ruler reads, as a ConfigMap's data; the addresses of annotations get their bases. */}}
{{- define "logging.rules" -}}
{{- $ruler := .Values.loki.ruler -}}
{{- if and $ruler.enabled (eq $ruler.storage "configMap") -}}
{{- range $path, $_ := .Files.Glob "rules/*.yaml" -}}
{{- $rules := $.Files.Get $path -}}
{{- with $ruler.runbookBaseUrl -}}
{{- $rules = replace "runbook_url: " (printf "runbook_url: %s/" (trimSuffix "/" .)) $rules -}}
{{- end -}}
{{- with $ruler.grafanaBaseUrl -}}
{{- $rules = replace "dashboard_url: \"" (printf "dashboard_url: \"%s" (trimSuffix "/" .)) $rules -}}
{{- end }}
{{ base $path }}: |
  {{- $rules | nindent 2 }}
{{- end -}}
{{- end -}}
{{- end -}}
