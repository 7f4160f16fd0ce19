{{- define "lib.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "lib.selectorLabels" . | nindent 4 }}
  ports:
    - name: http
      port: {{ .Values.port }}
      targetPort: http
    {{- if .Values.dapr.enabled }}
    - name: dapr-metrics
      port: 9090
      targetPort: dapr-metrics
    {{- end }}
{{- end -}}

{{- define "lib.servicemonitor" -}}
{{- if .Values.serviceMonitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "lib.selectorLabels" . | nindent 6 }}
  sampleLimit: 5000  # a label that grows without bounds costs this scrape, and not Prometheus
  endpoints:
    - port: http
      path: /metrics
      {{- with .Values.serviceMonitor.interval }}
      interval: {{ . }}
      {{- end }}
    {{- if .Values.dapr.enabled }}
    - port: dapr-metrics
      path: /metrics
      {{- with .Values.serviceMonitor.interval }}
      interval: {{ . }}
      {{- end }}
      relabelings:
        # `service` stays the service's: the job tells the two apart, so that a sidecar that is up never stands for it.
        - action: replace
          targetLabel: job
          replacement: dapr
    {{- end }}
{{- end -}}
{{- end -}}
