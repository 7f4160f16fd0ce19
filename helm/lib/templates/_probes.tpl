{{/*
The three probes of an HTTP server. Call with a dict: port, ready, live, and where they differ from HTTP and 60:
scheme, and startup (seconds that a start may take).
The short period is what makes a start cheap: a pod is ready within a second of being able to answer.
*/}}
{{- define "lib.probes" -}}
startupProbe:
  httpGet:
    path: {{ .live }}
    port: {{ .port }}
    {{- with .scheme }}
    scheme: {{ . }}
    {{- end }}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: {{ .startup | default 60 }}
readinessProbe:
  httpGet:
    path: {{ .ready }}
    port: {{ .port }}
    {{- with .scheme }}
    scheme: {{ . }}
    {{- end }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 3
livenessProbe:
  httpGet:
    path: {{ .live }}
    port: {{ .port }}
    {{- with .scheme }}
    scheme: {{ . }}
    {{- end }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}
