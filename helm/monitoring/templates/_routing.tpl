{{/* Alertmanager's configuration. Call with the values of alertmanager. docs/alerting.md tells how an alert goes. */}}
{{- define "monitoring.alertmanagerConfig" -}}
{{- include "monitoring.checkReceivers" . -}}
{{- $hours := .businessHours -}}
{{- if and $hours.enabled (not (lt $hours.from $hours.to)) -}}
{{- include "monitoring.refuse" (dict "what" "business hours end before they begin" "found" (printf "alertmanager.businessHours: from %s to %s" $hours.from $hours.to) "expected" "from earlier than to, on one day" "next" "set alertmanager.businessHours.from and to") -}}
{{- end -}}
{{- $pages := include "monitoring.receiver" (dict "root" . "path" "pages" "name" .routes.pages) -}}
{{- $tickets := include "monitoring.receiver" (dict "root" . "path" "tickets" "name" .routes.tickets) -}}
{{- $watchdog := include "monitoring.receiver" (dict "root" . "path" "watchdog" "name" .routes.watchdog) -}}
route:
  # What no route below takes has a severity that nobody knows: better a page too many than an alert lost.
  receiver: {{ $pages }}
  group_by: [alertname, namespace, service]
  group_wait: {{ .groupWait }}
  group_interval: {{ .groupInterval }}
  repeat_interval: {{ .repeatPages }}
  routes:
    # Always fires: it shows that alerts travel, and is nobody's page. Whoever gets it raises the alarm when it stays away.
    - matchers: [alertname = Watchdog]
      receiver: {{ $watchdog }}
      group_wait: 0s
      group_interval: {{ .watchdogInterval }}
      repeat_interval: 1s  # each time
    - matchers: [severity = critical]
      receiver: {{ $pages }}
      {{- with include "monitoring.teamRoutes" (dict "root" . "kind" "pages") }}
      routes:
        {{- . | nindent 8 }}
      {{- end }}
    - matchers: [severity = warning]
      receiver: {{ $tickets }}
      repeat_interval: {{ .repeatTickets }}
      {{- include "monitoring.hours" $hours | nindent 6 }}
      {{- with include "monitoring.teamRoutes" (dict "root" . "kind" "tickets") }}
      routes:
        {{- . | nindent 8 }}
      {{- end }}
    # Shown by Prometheus, Alertmanager and the dashboards, and sent to nobody.
    - matchers: ['severity =~ "info|none"']
      receiver: nobody
inhibit_rules:
  {{- include "monitoring.inhibition" . | nindent 2 }}
{{- if $hours.enabled }}
time_intervals:
  - name: business-hours
    time_intervals:
      - weekdays: {{ toJson $hours.days }}
        times:
          - {start_time: {{ $hours.from | quote }}, end_time: {{ $hours.to | quote }}}
        location: {{ $hours.timezone }}
{{- end }}
receivers:
  - name: nobody
  {{- range $name, $receiver := .receivers }}
  {{- include "monitoring.receiverConfig" (dict "name" $name "receiver" $receiver) | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The routes of teams that have a receiver of their own for `kind`: pages or tickets. Call with a dict: root, kind. */}}
{{- define "monitoring.teamRoutes" -}}
{{- range $team, $own := .root.routes.teams }}
{{- with get $own $.kind }}
- matchers: [team = {{ $team }}]
  receiver: {{ include "monitoring.receiver" (dict "root" $.root "path" (printf "teams.%s.%s" $team $.kind) "name" .) }}
  {{- if eq $.kind "tickets" }}
  {{- include "monitoring.hours" $.root.businessHours | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* When tickets are sent. A route does not take this over from the one that it is below. */}}
{{- define "monitoring.hours" -}}
{{- if .enabled -}}
active_time_intervals: [business-hours]
{{- end -}}
{{- end -}}
