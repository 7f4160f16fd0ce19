{{- define "logging.lokiConfig" -}}
auth_enabled: false
server:
  http_listen_port: 3100
  grpc_listen_port: 9095
  log_format: json
  log_level: info
  graceful_shutdown_timeout: 10s
common:
  instance_addr: 127.0.0.1
  path_prefix: /var/loki
  replication_factor: 1
  ring:
    kvstore:
      store: inmemory
  storage:
    filesystem:
      chunks_directory: /var/loki/chunks
      rules_directory: /var/loki/rules
schema_config:
  configs:
    - from: {{ .Values.loki.schemaFrom | quote }}
      store: tsdb
      object_store: filesystem
      schema: v13
      index:
        prefix: index_
        period: 24h
ingester:
  wal:
    flush_on_shutdown: true
  lifecycler:
    # One process has nobody to wait for: it is ready as soon as it has started.
    min_ready_duration: 0s
    join_after: 0s
    final_sleep: 0s
# The query frontend finds the scheduler in its own process at the first look; the default is one look in ten seconds.
frontend:
  scheduler_dns_lookup_period: 1s
frontend_worker:
  dns_lookup_duration: 1s
compactor:
  working_directory: /var/loki/compactor
  # Without these two, and a working directory that outlives the pod, nothing is ever deleted.
  retention_enabled: true
  delete_request_store: filesystem
  compaction_interval: 10m
  retention_delete_delay: 2h
limits_config:
  retention_period: {{ .Values.loki.retention }}
  ingestion_rate_mb: {{ .Values.loki.limits.ingestionRateMb }}
  ingestion_burst_size_mb: {{ .Values.loki.limits.ingestionBurstSizeMb }}
  per_stream_rate_limit: 8MB
  per_stream_rate_limit_burst: 32MB
  max_global_streams_per_user: {{ .Values.loki.limits.maxStreams }}
  max_label_names_per_series: 8
  max_line_size: {{ .Values.loki.limits.maxLineSize }}
  max_line_size_truncate: true
  reject_old_samples: true
  reject_old_samples_max_age: 168h
  allow_structured_metadata: true
  # The labels are those of Promtail and no others: Loki adds neither service_name nor a level that it guessed.
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
