{{/*
Who may call Loki and its collector and whom they may call; everything else is refused. Probes, and on a cluster of one
node the API server's proxy, come from the pod's own node, which no policy keeps out.
*/}}
{{- define "logging.flows" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $outside := include "lib.peersOf" $policy.ingress | fromYamlArray -}}
{{- $monitoring := dict "namespace" $policy.monitoringNamespace -}}
{{- $loki := list (dict "app" "loki") -}}
loki:
  ingress:
    # The collector and the other Lokis; Prometheus and Grafana.
    - {peers: {{ concat (list (dict "own" true) $monitoring) $outside | toJson }}, ports: [3100]}
    {{- if gt (int .Values.loki.replicas) 1 }}
    - &ring {peers: {{ $loki | toJson }}, ports: [7946, 9095]}
    {{- end }}
  egress:
    {{- if gt (int .Values.loki.replicas) 1 }}
    - *ring
    - {peers: {{ $loki | toJson }}, ports: [3100]}
    {{- end }}
    {{- if .Values.loki.ruler.enabled }}
    - {peers: {{ list (dict "app" "alertmanager" "namespace" $policy.monitoringNamespace) | toJson }}, ports: [9093]}
    {{- end }}
    {{- range $_, $peer := $policy.egress }}
    - {peers: {{ list (omit $peer "ports") | toJson }}, ports: {{ $peer.ports | default list | toJson }}}
    {{- end }}
{{ .Values.collector }}:
  ingress:
    - {peers: {{ concat (list (dict "app" "prometheus" "namespace" $policy.monitoringNamespace)) $outside | toJson }}, ports: [3101]}
  egress:
    - {peers: {{ $loki | toJson }}, ports: [3100]}
    # It reads the pods' labels there.
    - {peers: {{ include "lib.blocks" $policy.apiServer.cidrs | fromYamlArray | toJson }}, ports: {{ $policy.apiServer.ports | toJson }}}
{{- end -}}
