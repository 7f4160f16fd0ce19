{{- define "lib.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "lib.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  revisionHistoryLimit: 3
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
        checksum/environment: {{ include "lib.environment" . | sha256sum }}
        kubectl.kubernetes.io/default-container: {{ .Chart.Name }}
        prometheus.io/scrape: "true"
        prometheus.io/port: {{ .Values.port | quote }}
        prometheus.io/path: /metrics
    spec:
      serviceAccountName: {{ .Chart.Name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
      securityContext:
        {{- include "lib.podSecurityContext" 65532 | nindent 8 }}
      {{- include "lib.imagePullSecrets" . | indent 6 }}
      {{- if gt (int .Values.replicas) 1 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "lib.selectorLabels" . | nindent 14 }}
      {{- end }}
      {{- if and .Values.database.enabled .Values.migrations.enabled }}
      initContainers:
        - name: migrate
          args: [migrate]
          {{- include "lib.container" . | nindent 10 }}
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
        {{- if .Values.database.enabled }}
        - name: database
          secret:
            secretName: {{ .Values.database.passwordSecret }}
            defaultMode: 0440
            items:
              - key: {{ .Values.database.passwordKey }}
                path: password
        {{- end }}
{{- end -}}

{{/* What the service's container and its migration have in common. */}}
{{- define "lib.container" -}}
image: {{ include "lib.image" (dict "root" . "component" .Chart.Name "path" "image" "image" .Values.image) }}
imagePullPolicy: IfNotPresent
envFrom:
  - configMapRef:
      name: {{ .Chart.Name }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "lib.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .Values.database.enabled }}
  - name: database
    mountPath: /etc/secrets/database
    readOnly: true
  {{- end }}
{{- end -}}
