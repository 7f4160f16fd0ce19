{{/* The plain environment of a service, as a map. Secrets never come here: they are mounted as files. */}}
{{- define "lib.variables" -}}
{{- $environment := dict
    "SERVICE_NAME" .Chart.Name
    "HTTP_PORT" (.Values.port | toString)
    "FAULTS_ENABLED" (.Values.faults.enabled | toString) -}}
{{- with .Values.database -}}
{{- if .enabled -}}
{{- $identifier := $.Chart.Name | replace "-" "_" -}}
{{- $_ := set $environment "DATABASE_HOST" .host -}}
{{- $_ := set $environment "DATABASE_PORT" (.port | toString) -}}
{{- $_ := set $environment "DATABASE_NAME" (.name | default $identifier) -}}
{{- $_ := set $environment "DATABASE_USER" (.user | default $identifier) -}}
{{- $_ := set $environment "DATABASE_SSLMODE" .sslmode -}}
{{- $_ := set $environment "DATABASE_PASSWORD_FILE" "/etc/secrets/database/password" -}}
{{- end -}}
{{- end -}}
{{- if .Values.userTokens.enabled -}}
{{- $_ := set $environment "TOKEN_KEYS_FILE" "/etc/secrets/user-tokens/jwks.json" -}}
{{- end -}}
{{- if .Values.dapr.enabled -}}
{{- $_ := set $environment "DAPR_HTTP_PORT" "3500" -}}
{{- $_ := set $environment "DAPR_APP_TOKEN_FILE" "/etc/secrets/dapr/token" -}}
{{- $_ := set $environment "PUBSUB_NAME" .Values.dapr.pubsub -}}
{{- end -}}
{{- toYaml (merge (deepCopy .Values.environment) $environment) -}}
{{- end -}}

{{- define "lib.environment" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
data:
  {{- range $name, $value := include "lib.variables" . | fromYaml }}
  {{ $name }}: {{ $value | toString | quote }}
  {{- end }}
{{- end -}}

{{/* The files with secrets that a service has, as a map: folder below /etc/secrets → secret, key and file. */}}
{{- define "lib.secrets" -}}
{{- $secrets := dict -}}
{{- with .Values.database -}}
{{- if .enabled -}}
{{- $secret := .passwordSecret | default (printf "%s-database" $.Chart.Name) -}}
{{- $_ := set $secrets "database" (dict "secret" $secret "key" .passwordKey "file" "password") -}}
{{- end -}}
{{- end -}}
{{- if .Values.userTokens.enabled -}}
{{- $_ := set $secrets "user-tokens" (dict "secret" .Values.userTokens.secret "key" "jwks.json" "file" "jwks.json") -}}
{{- end -}}
{{- if .Values.dapr.enabled -}}
{{- $_ := set $secrets "dapr" (dict "secret" .Values.dapr.appTokenSecret "key" "token" "file" "token") -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}
