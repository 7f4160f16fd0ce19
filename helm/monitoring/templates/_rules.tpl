{{/*
The groups of a rule file, as YAML: without the alerts of rules.disabled, and with the bases of links before them. Empty
when nothing is left. Call with a dict: root and file, the file's text.
*/}}
{{- define "monitoring.ruleGroups" -}}
{{- $values := .root.Values.rules -}}
{{- $bases := dict "runbook_url" $values.runbookBaseUrl "dashboard_url" $values.grafanaBaseUrl -}}
{{- range (fromYaml .file).groups -}}
{{- $rules := list -}}
{{- range $rule := .rules -}}
{{- if not (has (get $rule "alert") $values.disabled) -}}
{{- range $name, $base := $bases -}}
{{- $path := dig "annotations" $name "" $rule -}}
{{- if and $base $path -}}
{{- $_ := set $rule.annotations $name (printf "%s/%s" (trimSuffix "/" $base) (trimPrefix "/" $path)) -}}
{{- end -}}
{{- end -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}
{{- list (set . "rules" $rules) | toYaml -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses a name in rules.disabled that is no alert's: the alert that was meant would stay. */}}
{{- define "monitoring.disabledAlertsExist" -}}
{{- $all := "" -}}
{{- range $path, $_ := .Files.Glob "rules/*.yaml" -}}
{{- $all = printf "%s%s\n" $all ($.Files.Get $path) -}}
{{- end -}}
{{- range .Values.rules.disabled -}}
{{- if not (regexMatch (printf "(?m)^ *- alert: %s$" .) $all) -}}
{{- fail (printf "\n\nthe chart monitoring has no alert %s\n  found:    rules.disabled = %s\n  expected: names of alerts in rules/\n  next:     correct the name, or remove it where the alert is gone\n" . (toJson $.Values.rules.disabled)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
