{{/*
Who may call each component and whom it may call; everything else is refused. The ports are the pods'. Probes, and on a
cluster of one node the API server's proxy, come from the pod's own node, which no policy keeps out. The node exporter
stands in its node's network, where none applies.
*/}}
{{- define "monitoring.flows" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $own := list (dict "own" true) -}}
{{- $outside := include "lib.peersOf" $policy.ingress | fromYamlArray -}}
{{- $prometheus := list (dict "app" "prometheus") -}}
{{- $alertmanager := list (dict "app" "alertmanager") -}}
{{- $apiServer := dict "peers" (include "lib.blocks" $policy.apiServer.cidrs | fromYamlArray) "ports" $policy.apiServer.ports -}}
{{- $nodes := include "lib.blocks" $policy.nodes | fromYamlArray -}}
prometheus:
  ingress:
    # The adapter, Grafana, another Prometheus, and what backs it up.
    - {peers: {{ concat $own $outside | toJson }}, ports: [9090]}
    - {peers: {{ $prometheus | toJson }}, ports: [8080]}
  egress:
    # Whatever a monitor names, in any namespace, at any port.
    - {peers: [{everyPod: true}]}
    - {peers: {{ $nodes | toJson }}, ports: [9100, 10250]}
    - {{ $apiServer | toJson }}
alertmanager:
  ingress:
    - {peers: {{ concat $prometheus $outside | toJson }}, ports: [9093]}
    - {peers: {{ list (dict "app" "loki" "namespace" $policy.loggingNamespace) | toJson }}, ports: [9093]}
    - {peers: {{ $prometheus | toJson }}, ports: [8080]}
    - &gossip {peers: {{ $alertmanager | toJson }}, ports: [{port: 9094, protocol: TCP}, {port: 9094, protocol: UDP}]}
  egress:
    - *gossip
    {{- range $_, $peer := $policy.receivers }}
    - {peers: {{ list (omit $peer "ports") | toJson }}, ports: {{ $peer.ports | default list | toJson }}}
    {{- end }}
prometheus-operator:
  ingress:
    - {peers: {{ concat $prometheus $outside | toJson }}, ports: [8080]}
  egress:
    - {{ $apiServer | toJson }}
kube-state-metrics:
  ingress:
    - {peers: {{ concat $prometheus $outside | toJson }}, ports: [8080, 8081]}
  egress:
    - {{ $apiServer | toJson }}
{{- if .Values.metricsServer.enabled }}
metrics-server:
  ingress:
    - {peers: {{ concat $prometheus $outside | toJson }}, ports: [10250]}
  egress:
    - {peers: {{ $nodes | toJson }}, ports: [10250]}
    - {{ $apiServer | toJson }}
{{- end }}
{{- if .Values.prometheusAdapter.enabled }}
prometheus-adapter:
  ingress:
    - {peers: {{ concat $prometheus $outside | toJson }}, ports: [6443]}
  egress:
    - {peers: {{ $prometheus | toJson }}, ports: [9090]}
    - {{ $apiServer | toJson }}
{{- end }}
{{- if .Values.grafana.enabled }}
grafana:
  ingress:
    - {peers: {{ concat $own $outside | toJson }}, ports: [3000]}
  egress:
    - {peers: {{ $prometheus | toJson }}, ports: [9090]}
    - {peers: {{ list (dict "app" "loki" "namespace" $policy.loggingNamespace) | toJson }}, ports: [3100]}
{{- end }}
{{- end -}}
