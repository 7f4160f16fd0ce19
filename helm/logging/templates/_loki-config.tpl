{{/* The tenant that everything belongs to; without auth Loki calls it fake. */}}
{{- define "logging.tenant" -}}
{{- if .Values.loki.auth.enabled }}{{ .Values.loki.auth.tenant }}{{ else }}fake{{ end -}}
{{- end -}}

{{/* Where chunks and index lie. ${…} is filled in by Loki itself, from what the StatefulSet takes out of the Secret. */}}
{{- define "logging.objectStorage" -}}
{{- $storage := .Values.loki.objectStorage -}}
{{- if eq $storage.type "s3" -}}
s3:
  bucketnames: {{ $storage.bucket }}
  endpoint: {{ $storage.s3.endpoint }}
  region: {{ $storage.s3.region }}
  s3forcepathstyle: true
  access_key_id: "${S3_ACCESS_KEY_ID}"
  secret_access_key: "${S3_SECRET_ACCESS_KEY}"
{{- else if eq $storage.type "azure" -}}
azure:
  account_name: {{ $storage.azure.account }}
  container_name: {{ $storage.bucket }}
  {{- if $storage.azure.clientId }}
  use_federated_token: true
  {{- else }}
  account_key: "${AZURE_ACCOUNT_KEY}"
  {{- end }}
{{- else if eq $storage.type "gcs" -}}
gcs:
  bucket_name: {{ $storage.bucket }}
{{- else -}}
filesystem:
  chunks_directory: /var/loki/chunks
  rules_directory: /var/loki/rules
{{- end -}}
{{- end -}}

{{- define "logging.lokiConfig" -}}
{{- $several := gt (int .Values.loki.replicas) 1 -}}
{{- $store := .Values.loki.objectStorage.type -}}
{{- $limits := .Values.loki.limits -}}
auth_enabled: {{ .Values.loki.auth.enabled }}
server:
  http_listen_port: 3100
  grpc_listen_port: 9095
  log_format: json
  log_level: info
  graceful_shutdown_timeout: 10s
  # The lines that answer a query are one message. gRPC's own limit, 4 MiB, is less than maxEntries lines of 1 kB, and more is an error.
  grpc_server_max_recv_msg_size: 33554432
  grpc_server_max_send_msg_size: 33554432
common:
  instance_addr: {{ $several | ternary "\"${POD_IP}\"" "127.0.0.1" }}
  path_prefix: /var/loki
  # With three, a line is taken once two have it: one may be away, or be lost with its volume, and no line is.
  replication_factor: {{ $several | ternary 3 1 }}
  ring:
    kvstore:
      store: {{ $several | ternary "memberlist" "inmemory" }}
  storage:
    {{- include "logging.objectStorage" . | nindent 4 }}
{{- if $several }}
memberlist:
  join_members: [loki-memberlist.{{ .Release.Namespace }}.svc:7946]
{{- end }}
schema_config:
  configs:
    - from: {{ .Values.loki.schemaFrom | quote }}
      store: tsdb
      object_store: {{ $store }}
      schema: v13
      index:
        prefix: index_
        period: 24h
# An index is looked at anew as often as it may change.
storage_config:
  index_cache_validity: {{ .Values.loki.compactor.interval }}
  tsdb_shipper:
    resync_interval: {{ .Values.loki.compactor.interval }}
ingester:
  chunk_encoding: snappy  # half of gzip's work for a search, and about twice its room
  wal:
    enabled: true
    dir: /var/loki/wal
    flush_on_shutdown: true
    replay_memory_ceiling: {{ .Values.loki.walReplayMemory }}
  {{- if not $several }}
  lifecycler:
    # One process has nobody to wait for: it is ready as soon as it has started.
    min_ready_duration: 0s
    join_after: 0s
    final_sleep: 0s
  {{- end }}
# The query frontend finds the scheduler in its own process at the first look; the default is one look in ten seconds.
frontend:
  scheduler_dns_lookup_period: 1s
frontend_worker:
  dns_lookup_duration: 1s
compactor:
  working_directory: /var/loki/compactor
  # Without these two, and a working directory that outlives the pod, nothing is ever deleted.
  retention_enabled: {{ .Values.loki.compactor.enabled }}
  delete_request_store: {{ $store }}
  compaction_interval: {{ .Values.loki.compactor.interval }}
  retention_delete_delay: {{ .Values.loki.compactor.deleteDelay }}
{{- if .Values.loki.ruler.enabled }}
ruler:
  {{- if eq .Values.loki.ruler.storage "configMap" }}
  storage:
    type: local
    local:
      directory: /etc/loki-rules
  {{- end }}
  rule_path: /var/loki/rules-temp
  wal:
    dir: /var/loki/ruler-wal
  alertmanager_url: {{ .Values.loki.ruler.alertmanagerUrl }}
  enable_alertmanager_v2: true
  enable_api: true
  enable_sharding: {{ $several | ternary true false }}  # each group is evaluated by one of them
  evaluation_interval: {{ .Values.loki.ruler.evaluationInterval }}
{{- end }}
limits_config:
  retention_period: {{ .Values.loki.retention }}
  ingestion_rate_mb: {{ $limits.ingestionRateMb }}
  ingestion_burst_size_mb: {{ $limits.ingestionBurstSizeMb }}
  per_stream_rate_limit: {{ $limits.streamRateMb }}MB
  per_stream_rate_limit_burst: {{ mul 4 $limits.streamRateMb }}MB
  max_global_streams_per_user: {{ $limits.maxStreams }}
  max_label_names_per_series: 8
  max_line_size: {{ $limits.maxLineSize }}
  max_line_size_truncate: true
  max_entries_limit_per_query: {{ $limits.maxEntries }}
  query_timeout: {{ $limits.queryTimeout }}
  tsdb_max_bytes_per_shard: 100MB  # a search over more than this is work for more than one core
  reject_old_samples: true
  reject_old_samples_max_age: 168h
  allow_structured_metadata: true
  # The labels are those of the collector and no others: Loki adds neither service_name nor a level that it guessed.
  discover_service_name: []
  discover_log_levels: false
query_range:
  results_cache:
    cache:
      embedded_cache:
        enabled: true
        max_size_mb: 64
pattern_ingester:
  enabled: false
analytics:
  reporting_enabled: false
{{- end -}}
