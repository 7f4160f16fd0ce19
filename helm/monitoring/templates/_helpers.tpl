{{/* Storage of a custom resource. Call with a map that has size and storageClassName. */}}
{{- define "monitoring.volumeClaim" -}}
volumeClaimTemplate:
  spec:
    {{- with .storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    accessModes: [ReadWriteOnce]
    resources:
      requests:
        storage: {{ .size }}
{{- end -}}

{{/* The metadata of a ServiceMonitor. Call with a dict: root and component. */}}
{{- define "monitoring.monitorMetadata" -}}
name: {{ .component }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "lib.componentLabels" . | nindent 2 }}
{{- end -}}

{{- define "monitoring.grafanaDatasources" -}}
apiVersion: 1
datasources:
  - name: Prometheus
    uid: prometheus
    type: prometheus
    access: proxy
    url: http://prometheus:9090
    isDefault: true
  - name: Loki
    uid: loki
    type: loki
    access: proxy
    url: http://loki.logging:3100
{{- end -}}

{{/* The ConfigMap of a dashboard. Call with the path of its file. */}}
{{- define "monitoring.dashboardName" -}}
dashboard-{{ base . | trimSuffix ".json" }}
{{- end -}}
