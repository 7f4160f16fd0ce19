{{/*
Dapr's sidecar as a native one: an init container that goes on. Its API listens on the pod's own loopback address; what
others reach is the health on 3501, for the kubelet, and the metrics on 9090. `healthz/outbound` turns well before the
service listens: the sidecar starts first and must not wait for it.
*/}}
{{- define "lib.daprd" -}}
- name: daprd
  image: {{ include "lib.image" (dict "root" . "component" "daprd" "path" "dapr.image" "image" .Values.dapr.image) }}
  imagePullPolicy: IfNotPresent
  restartPolicy: Always
  command: [/daprd]  # upstream's image has no entrypoint
  args:
    - --mode=standalone
    - --app-id={{ .Chart.Name }}
    - --app-port={{ .Values.port }}
    - --app-protocol=http
    - --dapr-http-port=3500
    - --dapr-grpc-port=50001
    - --dapr-internal-grpc-port=50002
    - --dapr-listen-addresses=127.0.0.1
    - --dapr-internal-grpc-listen-address=127.0.0.1
    - --dapr-public-port=3501
    - --enable-metrics
    - --metrics-port=9090
    - --resources-path=/components
    - --config=/etc/dapr/config.yaml
    - --log-as-json
  env:
    - name: APP_API_TOKEN  # daprd takes it from nowhere else
      valueFrom:
        secretKeyRef:
          name: {{ .Values.dapr.appTokenSecret }}
          key: token
    - name: GOMEMLIMIT
      valueFrom:
        resourceFieldRef:
          resource: limits.memory
  ports:
    - name: dapr-health
      containerPort: 3501
    - name: dapr-metrics
      containerPort: 9090
  {{- include "lib.probes" (dict "port" "dapr-health" "ready" "/v1.0/healthz/outbound" "live" "/v1.0/healthz/outbound" "startup" 60) | nindent 2 }}
  resources:
    {{- toYaml .Values.dapr.resources | nindent 4 }}
  securityContext:
    {{- include "lib.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
    - name: dapr-components
      mountPath: /components
      readOnly: true
    - name: dapr-configuration
      mountPath: /etc/dapr
      readOnly: true
{{- end -}}

{{- define "lib.daprdVolumes" -}}
- name: dapr-components
  configMap:
    name: {{ .Values.dapr.components }}
- name: dapr-configuration
  configMap:
    name: {{ .Chart.Name }}-dapr
{{- end -}}

{{/* The sidecar's own settings, which it takes from a file alone. */}}
{{- define "lib.sidecarconfiguration" -}}
{{- if and .Values.dapr.enabled (eq .Values.dapr.mode "sidecar") -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Chart.Name }}-dapr
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "lib.labels" . | nindent 4 }}
data:
  config.yaml: |
    apiVersion: dapr.io/v1alpha1
    kind: Configuration
    metadata:
      name: sidecar
    spec:
      nameResolution:
        component: kubernetes  # forms names and asks nobody; the default, mDNS, sends multicasts
      metrics:
        http:
          increasedCardinality: false  # one series a method, not one a path
        latencyDistributionBuckets: [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]
{{- end -}}
{{- end -}}

{{/* The same for a control plane: its injector adds the container, with the same name of the metrics' port. */}}
{{- define "lib.daprAnnotations" -}}
dapr.io/enabled: "true"
dapr.io/app-id: {{ .Chart.Name }}
dapr.io/app-port: {{ .Values.port | quote }}
dapr.io/app-protocol: http
dapr.io/app-token-secret: {{ .Values.dapr.appTokenSecret }}
dapr.io/sidecar-listen-addresses: 127.0.0.1
dapr.io/enable-metrics: "true"
dapr.io/metrics-port: "9090"
dapr.io/log-as-json: "true"
{{- with .Values.dapr.configuration }}
dapr.io/config: {{ . }}
{{- end }}
dapr.io/disable-builtin-k8s-secret-store: "true"  # it would want a token of the API server, which the pod has not
dapr.io/sidecar-seccomp-profile-type: RuntimeDefault
dapr.io/sidecar-cpu-request: {{ .Values.dapr.resources.requests.cpu | quote }}
dapr.io/sidecar-memory-request: {{ .Values.dapr.resources.requests.memory | quote }}
dapr.io/sidecar-cpu-limit: {{ .Values.dapr.resources.limits.cpu | quote }}
dapr.io/sidecar-memory-limit: {{ .Values.dapr.resources.limits.memory | quote }}
{{- end -}}
