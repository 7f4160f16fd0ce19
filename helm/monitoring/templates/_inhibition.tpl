{{/*
One fault pages once: while the first alert fires, those that follow from it are kept back. docs/alerting.md has the table.
Each names a service, or the rule would take all alerts that name none for one and the same.
*/}}
{{- define "monitoring.inhibition" -}}
# What is critical for a service covers its warnings.
- source_matchers: [severity = critical, 'service != ""']
  target_matchers: ['severity =~ "warning|info"', 'service != ""']
  equal: [namespace, service]
{{- end -}}
