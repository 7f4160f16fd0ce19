{{/*
The policy of one component of a chart that holds several. Call with a dict: root, component, flows: {ingress, egress},
lists of {peers, ports}. A peer is one of _networkpolicy.tpl, {own: true} (the namespace's pods) or {everyPod: true} (those
of all namespaces); of `ports` an entry is a number or what a rule has. Its DNS comes besides.
*/}}
{{- define "lib.componentPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "lib.componentLabels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .component }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- range .flows.ingress }}
    {{- include "lib.flowRule" (dict "way" "from" "flow" .) | nindent 4 }}
    {{- end }}
  egress:
    {{- include "lib.dnsRule" . | nindent 4 }}
    {{- range .flows.egress }}
    {{- include "lib.flowRule" (dict "way" "to" "flow" .) | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "lib.flowRule" -}}
{{- $peers := list -}}
{{- range .flow.peers -}}
{{- if .own -}}
{{- $peers = append $peers (dict "podSelector" dict) -}}
{{- else if .everyPod -}}
{{- $peers = append $peers (dict "namespaceSelector" dict) -}}
{{- else -}}
{{- $peers = concat $peers (include "lib.peers" . | fromYamlArray) -}}
{{- end -}}
{{- end -}}
{{- $rule := dict -}}
{{- with $peers -}}
{{- $_ := set $rule $.way . -}}
{{- end -}}
{{- range .flow.ports -}}
{{- $port := kindIs "map" . | ternary . (dict "port" .) -}}
{{- $_ := set $rule "ports" (append ($rule.ports | default list) $port) -}}
{{- end -}}
{{- toYaml (list $rule) -}}
{{- end -}}

{{/* The peers of a map of them, and those of a list of blocks, as YAML lists. */}}
{{- define "lib.peersOf" -}}
{{- $peers := list -}}
{{- range $_, $peer := . -}}
{{- $peers = append $peers $peer -}}
{{- end -}}
{{- toYaml $peers -}}
{{- end -}}

{{- define "lib.blocks" -}}
{{- $peers := list -}}
{{- range . -}}
{{- $peers = append $peers (dict "cidr" .) -}}
{{- end -}}
{{- toYaml $peers -}}
{{- end -}}
