{{/* What Loki's configuration leaves to be filled in: secrets out of the Secret, and the pod's own address. */}}
{{- define "logging.environment" -}}
{{- $store := .Values.loki.objectStorage -}}
{{- $secrets := dict -}}
{{- if eq $store.type "s3" -}}
{{- $secrets = dict "S3_ACCESS_KEY_ID" "accessKeyId" "S3_SECRET_ACCESS_KEY" "secretAccessKey" -}}
{{- else if and (eq $store.type "azure") (not $store.azure.clientId) -}}
{{- $secrets = dict "AZURE_ACCOUNT_KEY" "accountKey" -}}
{{- end -}}
{{- $several := gt (int .Values.loki.replicas) 1 -}}
{{- if or $secrets $several -}}
env:
  {{- if $several }}
  - name: POD_IP
    valueFrom:
      fieldRef:
        fieldPath: status.podIP
  {{- end }}
  {{- range $name, $key := $secrets }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ $store.secret }}
        key: {{ $key }}
  {{- end }}
  {{- if eq $store.type "s3" }}
  # Others than AWS do not know the checksums that its SDK adds of its own accord.
  - name: AWS_REQUEST_CHECKSUM_CALCULATION
    value: when_required
  - name: AWS_RESPONSE_CHECKSUM_VALIDATION
    value: when_required
  {{- end }}
{{- end -}}
{{- end -}}
