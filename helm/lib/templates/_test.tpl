{{/*
`helm test`: a pod of the service's own image asks the service, by its name, whether it is ready. It is no pod of the
service (its name label differs), and has a network policy of its own: it may find the service and call it.
*/}}
{{- define "lib.test" -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "lib.testMetadata" . | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-output-log-policy: hook-failed
spec:
  {{- include "lib.podSpec" . | nindent 2 }}
  restartPolicy: Never
  activeDeadlineSeconds: 180  # on a busy node the kubelet may be late to see an end
  containers:
    - name: check
      args: [check, "http://{{ .Chart.Name }}:{{ .Values.port }}/readyz"]
      {{- include "lib.program" . | nindent 6 }}
{{- if .Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "lib.testMetadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}-test
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "lib.dnsRule" . | nindent 4 }}
    {{- include "lib.egressRule" (dict "app" .Chart.Name "ports" (list .Values.port)) | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "lib.testMetadata" -}}
name: {{ .Chart.Name }}-test
namespace: {{ .Release.Namespace }}
labels:
  app.kubernetes.io/name: {{ .Chart.Name }}-test
  {{- include "lib.commonLabels" . | nindent 2 }}
{{- end -}}
