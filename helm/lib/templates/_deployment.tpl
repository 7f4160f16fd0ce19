{{- define "lib.deployment" -}}
{{- $sidecar := and .Values.dapr.enabled (eq .Values.dapr.mode "sidecar") -}}
{{- $migrate := and .Values.database.enabled .Values.migrations.enabled -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "lib.metadata" . | nindent 2 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.autoscaling.minReplicas }}
  {{- end }}
  revisionHistoryLimit: 3
  minReadySeconds: {{ .Values.minReadySeconds }}
  progressDeadlineSeconds: {{ .Values.progressDeadlineSeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "lib.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "lib.labels" . | nindent 8 }}
      annotations:
        checksum/environment: {{ include "lib.variables" . | sha256sum }}
        kubectl.kubernetes.io/default-container: {{ .Chart.Name }}
        {{- if $sidecar }}
        checksum/sidecar: {{ include "lib.sidecarconfiguration" . | sha256sum }}
        {{- else if .Values.dapr.enabled }}
        {{- include "lib.daprAnnotations" . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "lib.podSpec" . | nindent 6 }}
      terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "lib.selectorLabels" $ | nindent 14 }}
        {{- end }}
      {{- if or $migrate $sidecar }}
      # In this order: the migration needs no sidecar, the service finds it listening.
      initContainers:
        {{- if $migrate }}
        - name: migrate
          args: [migrate]
          {{- include "lib.container" . | nindent 10 }}
        {{- end }}
        {{- if $sidecar }}
        {{- include "lib.daprd" . | nindent 8 }}
        {{- end }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          {{- include "lib.container" . | nindent 10 }}
          ports:
            - name: http
              containerPort: {{ .Values.port }}
          {{- include "lib.probes" (dict "port" "http" "ready" "/readyz" "live" "/healthz" "startup" .Values.startupSeconds) | nindent 10 }}
          lifecycle:
            # Endpoints learn of a leaving pod a moment late: serve until they have.
            preStop:
              sleep:
                seconds: {{ .Values.preStopSeconds }}
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: 64Mi
        {{- range $folder, $item := include "lib.secrets" . | fromYaml }}
        - name: {{ $folder }}
          secret:
            secretName: {{ $item.secret }}
            defaultMode: 0440
            items:
              - key: {{ $item.key }}
                path: {{ $item.file }}
        {{- end }}
        {{- if $sidecar }}
        {{- include "lib.daprdVolumes" . | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* What every pod of a service has, that of its test too. */}}
{{- define "lib.podSpec" -}}
serviceAccountName: {{ .Chart.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "lib.podSecurityContext" 65532 | nindent 2 }}
{{- include "lib.imagePullSecrets" . }}
{{- end -}}

{{/* What the service's container and its migration have in common. */}}
{{- define "lib.container" -}}
{{ include "lib.program" . }}
envFrom:
  - configMapRef:
      name: {{ .Chart.Name }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- range $folder, $_ := include "lib.secrets" . | fromYaml }}
  - name: {{ $folder }}
    mountPath: /etc/secrets/{{ $folder }}
    readOnly: true
  {{- end }}
{{- end -}}

{{/* The service's own image, and what it may take. */}}
{{- define "lib.program" -}}
image: {{ include "lib.image" (dict "root" . "component" .Chart.Name "path" "image" "image" .Values.image) }}
imagePullPolicy: IfNotPresent
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "lib.containerSecurityContext" . | nindent 2 }}
{{- end -}}
