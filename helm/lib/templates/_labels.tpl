{{/* The labels of a service's objects and pods. */}}
{{- define "lib.labels" -}}
{{ include "lib.selectorLabels" . }}
{{ include "lib.commonLabels" . }}
{{- end -}}

{{/* Those that say which pod is meant. */}}
{{- define "lib.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{- end -}}

{{/* Those that a pod has which is not the service's own, such as its test's. */}}
{{- define "lib.commonLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | default .Chart.Version | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sluice
service: {{ .Chart.Name }}
{{- end -}}

{{/*
The labels of one component of a chart that holds several. Call with a dict: root and component.
`service` is what Promtail and the dashboards know it by.
*/}}
{{- define "lib.componentLabels" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
service: {{ .component }}
{{- end -}}
