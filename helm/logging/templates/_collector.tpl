{{/*
One pipeline for both collectors: files/promtail.yaml, and after its first stage, which puts the runtime's pieces of a
line together, the masking of files/secrets.yaml.
*/}}
{{- define "logging.promtailConfig" -}}
{{- $config := .Files.Get "files/promtail.yaml" | fromYaml -}}
{{- $scrape := index $config.scrape_configs 0 -}}
{{- $secrets := .Files.Get "files/secrets.yaml" | fromYaml -}}
{{- $masking := list -}}
{{- range $secrets.patterns -}}
{{- $masking = append $masking (dict "replace" (dict "expression" .expression "replace" (printf "[masked:%s]" .kind))) -}}
{{- end -}}
{{- $suspect := printf "{namespace=~\".+\"} |~ \"(?i)(%s)\"" (join "|" $secrets.words) -}}
{{- $match := dict "match" (dict "selector" $suspect "stages" $masking) -}}
{{- $stages := list (first $scrape.pipeline_stages) $match -}}
{{- $_ := set $scrape "pipeline_stages" (concat $stages (rest $scrape.pipeline_stages)) -}}
{{- if .Values.loki.auth.enabled -}}
{{- $_ := set (first $config.clients) "tenant_id" .Values.loki.auth.tenant -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The same in Alloy's language: its discovery and relabelling are Prometheus', its stages are Promtail's. */}}
{{- define "logging.alloyConfig" -}}
{{- $config := include "logging.promtailConfig" . | fromYaml -}}
{{- $scrape := index $config.scrape_configs 0 -}}
{{- $client := first $config.clients -}}
logging {
  level  = {{ $config.server.log_level | toRawJson }}
  format = {{ $config.server.log_format | toRawJson }}
}

discovery.kubernetes "pods" {
  role = "pod"

  // Only the pods of this node; Promtail gets there by the label __host__.
  selectors {
    role  = "pod"
    field = "spec.nodeName=" + sys.env("HOSTNAME")
  }
}

discovery.relabel "pods" {
  targets = discovery.kubernetes.pods.targets
{{- range $scrape.relabel_configs }}
{{- if ne .target_label "__host__" }}

  rule {
    source_labels = {{ .source_labels | toRawJson }}
    {{- with .regex }}
    regex         = {{ . | toRawJson }}
    {{- end }}
    {{- with .replacement }}
    replacement   = {{ . | toRawJson }}
    {{- end }}
    target_label  = {{ .target_label | toRawJson }}
  }
{{- end }}
{{- end }}
}

local.file_match "pods" {
  path_targets = discovery.relabel.pods.output
  sync_period  = {{ $config.target_config.sync_period | toRawJson }}
}

loki.source.file "pods" {
  targets    = local.file_match.pods.targets
  forward_to = [loki.process.pods.receiver]
}

loki.process "pods" {
  forward_to = [loki.write.loki.receiver]
{{- include "logging.alloyStages" $scrape.pipeline_stages | nindent 2 }}
}

loki.write "loki" {
  endpoint {
    url                 = {{ $client.url | toRawJson }}
    batch_wait          = {{ $client.batchwait | toRawJson }}
    remote_timeout      = {{ $client.timeout | toRawJson }}
    min_backoff_period  = {{ $client.backoff_config.min_period | toRawJson }}
    max_backoff_period  = {{ $client.backoff_config.max_period | toRawJson }}
    max_backoff_retries = {{ $client.backoff_config.max_retries }}
    {{- with $client.tenant_id }}
    tenant_id           = {{ . | toRawJson }}
    {{- end }}
  }
}
{{- end -}}

{{/* Promtail's stages as Alloy's blocks. Call with the list; a stage that is not known here is refused. */}}
{{- define "logging.alloyStages" -}}
{{- range . }}
{{- range $kind, $stage := . }}
{{- if eq $kind "cri" }}

stage.cri { }
{{- else if eq $kind "replace" }}

stage.replace {
  expression = {{ $stage.expression | toRawJson }}
  replace    = {{ $stage.replace | toRawJson }}
}
{{- else if eq $kind "labeldrop" }}

stage.label_drop {
  values = {{ $stage | toRawJson }}
}
{{- else if eq $kind "json" }}

stage.json {
  expressions = {
    {{- range $name, $path := $stage.expressions }}
    {{ $name | toRawJson }} = {{ $path | toRawJson }},
    {{- end }}
  }
}
{{- else if eq $kind "regex" }}

stage.regex {
  expression = {{ $stage.expression | toRawJson }}
}
{{- else if eq $kind "template" }}

stage.template {
  source   = {{ $stage.source | toRawJson }}
  template = {{ $stage.template | toRawJson }}
}
{{- else if eq $kind "labels" }}

stage.labels {
  values = {
    {{- range $name, $from := $stage }}
    {{ $name | toRawJson }} = {{ $from | default $name | toRawJson }},
    {{- end }}
  }
}
{{- else if eq $kind "match" }}

stage.match {
  selector = {{ $stage.selector | toRawJson }}
  {{- include "logging.alloyStages" $stage.stages | nindent 2 }}
}
{{- else }}
{{- fail (printf "\n\nno translation of Promtail's stage %s for Alloy\n  found:    %s in files/promtail.yaml\n  expected: a stage that templates/_collector.tpl knows\n  next:     add it there\n" $kind $kind) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
