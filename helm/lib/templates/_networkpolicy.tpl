{{/*
What may reach a service's pods and what they may reach; everything else is refused in both directions. Probes need no
rule: what comes from the pod's own node is let in by Kubernetes' definition.
*/}}
{{- define "lib.networkpolicy" -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $policy := .Values.networkPolicy -}}
{{- $monitoring := dict "namespace" $policy.monitoringNamespace -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "lib.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector: {}
        {{- include "lib.peers" $monitoring | nindent 8 }}
        {{- range $_, $peer := $policy.ingress }}
        {{- include "lib.peers" $peer | nindent 8 }}
        {{- end }}
      ports:
        - port: {{ .Values.port }}
    {{- if .Values.dapr.enabled }}
    - from:
        {{- include "lib.peers" $monitoring | nindent 8 }}
      ports:
        - port: 9090
    {{- end }}
  egress:
    {{- include "lib.dnsRule" . | nindent 4 }}
    {{- if .Values.database.enabled }}
    {{- include "lib.egressRule" (merge (dict "ports" (list .Values.database.port)) .Values.database.peer) | nindent 4 }}
    {{- end }}
    {{- if .Values.dapr.enabled }}
    {{- include "lib.egressRule" .Values.dapr.peer | nindent 4 }}
    {{- if eq .Values.dapr.mode "annotations" }}
    {{- include "lib.egressRule" (dict "namespace" .Values.dapr.controlPlaneNamespace) | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- range $_, $peer := $policy.egress }}
    {{- include "lib.egressRule" $peer | nindent 4 }}
    {{- end }}
{{- end -}}
{{- end -}}

{{/* The cluster's DNS: its pods, or a cache of the node or of the cloud, which listen on link-local addresses. */}}
{{- define "lib.dnsRule" -}}
- to:
    {{- include "lib.peers" (dict "namespace" "kube-system" "cidr" "169.254.0.0/16") | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* One rule of egress. Call with a peer, see networkPolicy in values.yaml. */}}
{{- define "lib.egressRule" -}}
{{- $rule := dict -}}
{{- with include "lib.peers" . | fromYamlArray -}}
{{- $_ := set $rule "to" . -}}
{{- end -}}
{{- range .ports -}}
{{- $_ := set $rule "ports" (append ($rule.ports | default list) (dict "port" .)) -}}
{{- end -}}
{{- toYaml (list $rule) -}}
{{- end -}}

{{/* The entries of `from` or `to` that a peer means, as a YAML list; an empty one means everywhere. */}}
{{- define "lib.peers" -}}
{{- $peers := list -}}
{{- if or .app .namespace -}}
{{- $pods := dict -}}
{{- with .namespace -}}
{{- $_ := set $pods "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" .)) -}}
{{- end -}}
{{- with .app -}}
{{- $_ := set $pods "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" .)) -}}
{{- end -}}
{{- $peers = append $peers $pods -}}
{{- end -}}
{{- with .cidr -}}
{{- $block := dict "cidr" . -}}
{{- with $.except -}}
{{- $_ := set $block "except" . -}}
{{- end -}}
{{- $peers = append $peers (dict "ipBlock" $block) -}}
{{- end -}}
{{- toYaml $peers -}}
{{- end -}}
