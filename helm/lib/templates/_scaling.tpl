{{- define "lib.horizontalpodautoscaler" -}}
{{- with .Values.autoscaling -}}
{{- if .enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "lib.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $.Chart.Name }}
  minReplicas: {{ .minReplicas }}
  maxReplicas: {{ .maxReplicas }}
  metrics:
    # The service's own container: a sidecar is neither what is asked for nor what has to be scaled.
    - type: ContainerResource
      containerResource:
        name: cpu
        container: {{ $.Chart.Name }}
        target:
          type: Utilization
          averageUtilization: {{ .cpuPercent }}
    {{- if .websocketConnections }}
    - type: Pods
      pods:
        metric:
          name: websocket_connections_active
        target:
          type: AverageValue
          averageValue: {{ .websocketConnections | quote }}
    {{- end }}
  behavior:
    scaleUp:  # at once, to all that is needed
      stabilizationWindowSeconds: 0
      policies:
        - {type: Pods, value: {{ .maxReplicas }}, periodSeconds: 15}
    scaleDown:
      stabilizationWindowSeconds: {{ .scaleDownSeconds }}
      policies:
        - {type: Percent, value: 50, periodSeconds: 30}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A drain takes one pod after the other; one that is broken anyway does not stand in its way. */}}
{{- define "lib.poddisruptionbudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "lib.selectorLabels" . | nindent 6 }}
{{- end -}}
