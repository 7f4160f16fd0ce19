{{/* The plain environment of a service, as a map. Secrets never come here: they are mounted as files. */}}
{{- define "lib.environment" -}}
{{- $environment := dict
    "SERVICE_NAME" .Chart.Name
    "HTTP_PORT" (.Values.port | toString)
    "FAULTS_ENABLED" (.Values.faults.enabled | toString) -}}
{{- if .Values.database.enabled -}}
{{- $_ := set $environment "DATABASE_HOST" .Values.database.host -}}
{{- $_ := set $environment "DATABASE_PORT" (.Values.database.port | toString) -}}
{{- $_ := set $environment "DATABASE_NAME" .Values.database.name -}}
{{- $_ := set $environment "DATABASE_USER" .Values.database.user -}}
{{- $_ := set $environment "DATABASE_PASSWORD_FILE" "/etc/secrets/database/password" -}}
{{- end -}}
{{- toYaml (merge (deepCopy .Values.environment) $environment) -}}
{{- end -}}

{{- define "lib.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "lib.labels" . | nindent 4 }}
data:
  {{- range $name, $value := include "lib.environment" . | fromYaml }}
  {{ $name }}: {{ $value | toString | quote }}
  {{- end }}
{{- end -}}
