{{/* Everything that a service has. A service's chart has one template: this. */}}
{{- define "lib.all" -}}
{{- range list "serviceaccount" "environment" "sidecarconfiguration" "deployment" "service" "servicemonitor" "horizontalpodautoscaler" "poddisruptionbudget" "networkpolicy" "test" }}
---
{{ include (printf "lib.%s" .) $ }}
{{- end }}
{{- end -}}

{{/* The metadata of a service's object that is named after the chart. */}}
{{- define "lib.metadata" -}}
name: {{ .Chart.Name }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "lib.labels" . | nindent 2 }}
{{- end -}}

{{- define "lib.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
