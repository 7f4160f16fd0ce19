{{/*
The text of a rule file for a cluster that lives for minutes: `for` of a minute and more is `rules.drill.for`, windows of
minutes are `rules.drill.window`; hours stay, and so do objectives, whose windows are what they are about. Call with a dict:
root, rules and file. What nobody is told of may be shortened; where somebody is, rules are what their tests say.
*/}}
{{- define "monitoring.drilled" -}}
{{- $drill := .root.Values.rules.drill -}}
{{- if and (or $drill.for $drill.window) (not .root.Values.alertmanager.unattended) -}}
{{- fail (printf "\n\nthe chart monitoring would send alerts of rules that no test has seen\n  found:    rules.drill = %s\n  expected: none, since alertmanager.unattended is false\n  next:     remove rules.drill: it is for tests/e2e/values/monitoring.yaml\n" (toJson $drill)) -}}
{{- end -}}
{{- $rules := .rules -}}
{{- with $drill.for -}}
{{- $rules = regexReplaceAll "(?m)^( +(?:keep_firing_)?for: )[0-9]+[mhd][0-9mhd]*" $rules (printf "${1}%s" .) -}}
{{- end -}}
{{- if and $drill.window (not (hasPrefix "slo-" .file)) -}}
{{- $rules = regexReplaceAll "\\[[0-9]+m(:[0-9a-z]*)?\\]" $rules (printf "[%s${1}]" $drill.window) -}}
{{- end -}}
{{- $rules -}}
{{- end -}}
