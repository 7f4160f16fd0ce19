{{/*
What an API server behind the cluster's own one needs besides its Deployment and the ClusterRole <namespace>-<component>:
account and bindings, Service, monitor and, once it is to be asked, the registration.
Call with a dict: root, component, registered, and the group and version that it serves.
*/}}
{{- define "monitoring.aggregated" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $name := printf "%s-%s" $namespace .component -}}
{{- $labels := include "lib.componentLabels" . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .component }}
  namespace: {{ $namespace }}
  labels:
    {{- $labels | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ .component }}
    namespace: {{ $namespace }}
---
# It asks the API server who calls, and whether they may.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}-auth-delegator
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: system:auth-delegator
subjects:
  - kind: ServiceAccount
    name: {{ .component }}
    namespace: {{ $namespace }}
---
# It reads there which certificate the API server calls with.
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}-auth-reader
  namespace: kube-system
  labels:
    {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: extension-apiserver-authentication-reader
subjects:
  - kind: ServiceAccount
    name: {{ .component }}
    namespace: {{ $namespace }}
{{- if .registered }}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata:
  name: {{ .version }}.{{ .group }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  group: {{ .group }}
  version: {{ .version }}
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true  # it makes its certificate when it starts
  service:
    name: {{ .component }}
    namespace: {{ $namespace }}
    port: 443
{{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .component }}
  namespace: {{ $namespace }}
  labels:
    {{- $labels | nindent 4 }}
spec:
  selector:
    app.kubernetes.io/name: {{ .component }}
  ports:
    - name: https
      port: 443
      targetPort: https
      appProtocol: https
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "monitoring.monitorMetadata" . | nindent 2 }}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .component }}
      app.kubernetes.io/part-of: {{ .root.Chart.Name }}
  endpoints:
    - port: https
      scheme: https
      tlsConfig:
        insecureSkipVerify: true  # it signs its own
{{- end -}}
