{{/* Refuses to render. Call with a dict: what is wrong, found, expected, next. */}}
{{- define "monitoring.refuse" -}}
{{- fail (printf "\n\nthe chart monitoring would lose alerts: %s\n  found:    %s\n  expected: %s\n  next:     %s\n" .what .found .expected .next) -}}
{{- end -}}

{{/* A receiver of `routes`. Call with a dict: root, path (the key that names it), name. Empty names nobody, if that may be. */}}
{{- define "monitoring.receiver" -}}
{{- $known := keys .root.receivers | sortAlpha | join ", " | default "none" -}}
{{- if and .name (not (hasKey .root.receivers .name)) -}}
{{- include "monitoring.refuse" (dict "what" "a route leads to a receiver that there is not" "found" (printf "alertmanager.routes.%s = %q; receivers: %s" .path .name $known) "expected" "a name of alertmanager.receivers" "next" (printf "add alertmanager.receivers.%s, or name one that is there" .name)) -}}
{{- end -}}
{{- if and (not .name) (not .root.unattended) -}}
{{- include "monitoring.refuse" (dict "what" "a route leads to nobody" "found" (printf "alertmanager.routes.%s = \"\"; receivers: %s" .path $known) "expected" "a name of alertmanager.receivers, since alertmanager.unattended is false" "next" (printf "set alertmanager.routes.%s; see helm/monitoring/README.md" .path)) -}}
{{- end -}}
{{- .name | default "nobody" -}}
{{- end -}}

{{/* Refuses receivers that could not tell anybody, and those that nothing leads to. Call with the values of alertmanager. */}}
{{- define "monitoring.checkReceivers" -}}
{{- $used := list .routes.pages .routes.tickets .routes.watchdog -}}
{{- range $team, $own := .routes.teams -}}
{{- $used = concat $used (list $own.pages $own.tickets) -}}
{{- end -}}
{{- range $name, $receiver := .receivers -}}
{{- $at := printf "alertmanager.receivers.%s" $name -}}
{{- if eq $name "nobody" -}}
{{- include "monitoring.refuse" (dict "what" "a receiver has the name of the one that tells nobody" "found" $at "expected" "another name" "next" "rename it, and the routes to it") -}}
{{- end -}}
{{- if not $receiver -}}
{{- include "monitoring.refuse" (dict "what" "a receiver tells nobody" "found" (printf "%s = {}" $at) "expected" "one or more of slack, email, pagerduty, webhook" "next" (printf "add %s.slack or another, or remove %s" $at $at)) -}}
{{- end -}}
{{- if not (has $name $used) -}}
{{- include "monitoring.refuse" (dict "what" "no route leads to a receiver" "found" $at "expected" "its name in alertmanager.routes" "next" (printf "set alertmanager.routes.pages, tickets, watchdog or teams to %s, or remove %s" $name $at)) -}}
{{- end -}}
{{- range $kind, $key := dict "slack" "url" "pagerduty" "routing-key" -}}
{{- if hasKey $receiver $kind -}}
{{- if not (get (get $receiver $kind) "secret") -}}
{{- include "monitoring.refuse" (dict "what" (printf "a receiver of %s has no secret" $kind) "found" (printf "%s.%s.secret = \"\"" $at $kind) "expected" (printf "the name of a Secret with the key %s" $key) "next" (printf "kubectl create secret generic <name> --from-file=%s=<file>, and name it there" $key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $receiver.slack -}}
{{- if not .channel -}}
{{- include "monitoring.refuse" (dict "what" "a receiver of slack has no channel" "found" (printf "%s.slack.channel = \"\"" $at) "expected" "a channel, such as #alerts" "next" (printf "set %s.slack.channel" $at)) -}}
{{- end -}}
{{- end -}}
{{- with $receiver.email -}}
{{- range $key := list "to" "from" "smarthost" -}}
{{- if not (get $receiver.email $key) -}}
{{- include "monitoring.refuse" (dict "what" (printf "a receiver of email has no %s" $key) "found" (printf "%s.email.%s = \"\"" $at $key) "expected" "to, from and smarthost (host:port)" "next" (printf "set %s.email.%s" $at $key)) -}}
{{- end -}}
{{- end -}}
{{- if ne (empty .username) (empty .secret) -}}
{{- include "monitoring.refuse" (dict "what" "a receiver of email has half of its credentials" "found" (printf "%s.email: username %q, secret %q" $at (.username | default "") (.secret | default "")) "expected" "both, or neither where the server asks for none" "next" "kubectl create secret generic <name> --from-file=password=<file>, and name it there") -}}
{{- end -}}
{{- end -}}
{{- if hasKey $receiver "webhook" -}}
{{- $webhook := $receiver.webhook | default dict -}}
{{- if eq (empty $webhook.url) (empty $webhook.secret) -}}
{{- include "monitoring.refuse" (dict "what" "a receiver of webhook has no address, or two" "found" (printf "%s.webhook: url %q, secret %q" $at ($webhook.url | default "") ($webhook.secret | default "")) "expected" "one of them; the Secret has the key url" "next" "kubectl create secret generic <name> --from-file=url=<file>, and name it there") -}}
{{- end -}}
{{- if regexMatch "[@?]" ($webhook.url | default "") -}}
{{- include "monitoring.refuse" (dict "what" "a webhook's address may hold a secret, which values are no place for" "found" (printf "%s.webhook.url with @ or ?" $at) "expected" "a plain address, or a Secret" "next" (printf "kubectl create secret generic <name> --from-file=url=<file>, and name it in %s.webhook.secret" $at)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Secrets that receivers need, each once, as a YAML list. */}}
{{- define "monitoring.receiverSecrets" -}}
{{- $names := list -}}
{{- range $_, $receiver := . -}}
{{- range $_, $one := $receiver -}}
{{- with $one.secret -}}
{{- $names = append $names . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml ($names | uniq | sortAlpha) -}}
{{- end -}}

{{/*
A receiver as Alertmanager knows it. What it says is the alerts' own summary, description and links.
Call with a dict: name and receiver. Secrets are where the operator mounts them.
*/}}
{{- define "monitoring.receiverConfig" -}}
- name: {{ .name }}
  {{- with .receiver.slack }}
  slack_configs:
    - api_url_file: /etc/alertmanager/secrets/{{ .secret }}/url
      channel: {{ .channel | quote }}
      send_resolved: true
      title: '{{ `{{ .Status | toUpper }}: {{ .CommonLabels.alertname }} {{ .CommonLabels.namespace }}/{{ .CommonLabels.service }}` }}'
      title_link: '{{ `{{ .CommonAnnotations.dashboard_url }}` }}'
      text: |-
        {{ `{{ range .Alerts }}*{{ .Annotations.summary }}* ({{ .Labels.severity }})
        {{ .Annotations.description }}
        {{ .Annotations.runbook_url }}
        {{ end }}` }}
  {{- end }}
  {{- with .receiver.email }}
  email_configs:
    - to: {{ .to | quote }}
      from: {{ .from | quote }}
      smarthost: {{ .smarthost | quote }}
      require_tls: {{ dig "requireTls" true . }}
      {{- if .username }}
      auth_username: {{ .username | quote }}
      auth_password_file: /etc/alertmanager/secrets/{{ .secret }}/password
      {{- end }}
      send_resolved: true
      headers:
        Subject: '{{ `{{ .Status | toUpper }}: {{ .CommonLabels.alertname }} {{ .CommonLabels.namespace }}/{{ .CommonLabels.service }}` }}'
      html: ""
      text: |-
        {{ `{{ range .Alerts }}{{ .Status }}: {{ .Annotations.summary }} ({{ .Labels.severity }})
        {{ .Annotations.description }}
        {{ .Annotations.runbook_url }}
        {{ .Annotations.dashboard_url }}

        {{ end }}` }}
  {{- end }}
  {{- with .receiver.pagerduty }}
  pagerduty_configs:
    - routing_key_file: /etc/alertmanager/secrets/{{ .secret }}/routing-key
      {{- with .url }}
      url: {{ . | quote }}
      {{- end }}
      send_resolved: true
      severity: '{{ `{{ or .CommonLabels.severity "critical" }}` }}'
      {{- /* Of a group of which some is over, what still burns; how much of it there is more. */}}
      description: '{{ `{{ (index (or .Alerts.Firing .Alerts) 0).Annotations.summary }}{{ if gt (len .Alerts.Firing) 1 }} (1 of {{ len .Alerts.Firing }}){{ end }}` }}'
      component: '{{ `{{ .CommonLabels.service }}` }}'
      group: '{{ `{{ .CommonLabels.namespace }}` }}'
      class: '{{ `{{ .CommonLabels.alertname }}` }}'
      links:
        - {href: '{{ `{{ (index (or .Alerts.Firing .Alerts) 0).Annotations.runbook_url }}` }}', text: Runbook}
        - {href: '{{ `{{ (index (or .Alerts.Firing .Alerts) 0).Annotations.dashboard_url }}` }}', text: Dashboard}
  {{- end }}
  {{- with .receiver.webhook }}
  webhook_configs:
    {{- if .secret }}
    - url_file: /etc/alertmanager/secrets/{{ .secret }}/url
    {{- else }}
    - url: {{ .url | quote }}
    {{- end }}
      send_resolved: true
  {{- end }}
{{- end -}}
