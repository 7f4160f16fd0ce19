{{/*
Values that would lose logs or alerts, or show them to strangers: refused, all at once, each with its cure.
What a single value may be stands in values.schema.json.
*/}}
{{- define "logging.refusals" -}}
{{- $loki := .Values.loki -}}
{{- $store := $loki.objectStorage -}}
{{- $found := list -}}

{{- if not $loki.compactor.enabled -}}
{{- $found = append $found (list "nothing would delete what is older than the retention, and the storage fills up" (printf "loki.retention = %s, loki.compactor.enabled = false" $loki.retention) "the compactor, which applies the retention" "--set loki.compactor.enabled=true") -}}
{{- end -}}
{{- if lt (trimSuffix "h" $loki.retention | int) 24 -}}
{{- $found = append $found (list "the retention is shorter than the index's period: lines of a day go before the day is over" (printf "loki.retention = %s" $loki.retention) "at least 24h" "--set loki.retention=72h") -}}
{{- end -}}

{{- if and (gt (int $loki.replicas) 1) (eq $store.type "filesystem") -}}
{{- $found = append $found (list "each replica would keep its own part of the logs, and a query would find the part of the one that it meets" (printf "loki.replicas = %v, loki.objectStorage.type = filesystem" $loki.replicas) "one replica, or a storage that all of them share" "--set loki.objectStorage.type=s3 (or azure, gcs) and its bucket, as values-{oke,aks,gke}.yaml do") -}}
{{- end -}}
{{- if eq (int $loki.replicas) 2 -}}
{{- $found = append $found (list "with two replicas nothing is taken while one is away" "loki.replicas = 2" "1, or at least 3" "--set loki.replicas=3") -}}
{{- end -}}
{{- if not $loki.storage.size -}}
{{- $found = append $found (list "the WAL has no volume: what is not stored yet is lost with the pod" "loki.storage.size = \"\"" "a size such as 10Gi" "--set loki.storage.size=10Gi") -}}
{{- end -}}

{{- if and (ne $store.type "filesystem") (not $store.bucket) -}}
{{- $found = append $found (list "no bucket to keep the logs in" (printf "loki.objectStorage.type = %s, loki.objectStorage.bucket = \"\"" $store.type) "the name of a bucket or container that is there" "--set loki.objectStorage.bucket=<name>") -}}
{{- end -}}
{{- if and (ne $store.type "filesystem") .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) -}}
{{- $found = append $found (list "the network policy would keep Loki from the bucket" (printf "loki.objectStorage.type = %s, networkPolicy.egress = {}" $store.type) "where the bucket is" "--set-json networkPolicy.egress='{\"object-storage\": {\"cidr\": \"…\", \"ports\": [443]}}'") -}}
{{- end -}}
{{- if and (eq $store.type "s3") (not (and $store.s3.endpoint $store.s3.region)) -}}
{{- $found = append $found (list "no address of the S3 API" (printf "loki.objectStorage.s3.endpoint = %q, .region = %q" $store.s3.endpoint $store.s3.region) "both" "--set loki.objectStorage.s3.endpoint=<host>,loki.objectStorage.s3.region=<region>") -}}
{{- end -}}
{{- if and (eq $store.type "s3") (not $store.secret) -}}
{{- $found = append $found (list "no key for the bucket" "loki.objectStorage.secret = \"\"" "the name of a Secret with accessKeyId and secretAccessKey" (printf "kubectl -n %s create secret generic loki-object-storage --from-file=accessKeyId --from-file=secretAccessKey, and --set loki.objectStorage.secret=loki-object-storage" .Release.Namespace)) -}}
{{- end -}}
{{- if and (eq $store.type "azure") (not $store.azure.account) -}}
{{- $found = append $found (list "no storage account" "loki.objectStorage.azure.account = \"\"" "the account that the container is in" "--set loki.objectStorage.azure.account=<name>") -}}
{{- end -}}
{{- if and (eq $store.type "azure") (not (or $store.azure.clientId $store.secret)) -}}
{{- $found = append $found (list "nothing opens the container" "loki.objectStorage.azure.clientId = \"\", loki.objectStorage.secret = \"\"" "a workload identity's client id, or the name of a Secret with accountKey" "--set loki.objectStorage.azure.clientId=<id>") -}}
{{- end -}}

{{- if and $loki.ruler.enabled (not $loki.ruler.storage) -}}
{{- $found = append $found (list "the ruler has no storage: it would have no rule, and no alert would ever fire" "loki.ruler.enabled = true, loki.ruler.storage = \"\"" "configMap or object" "--set loki.ruler.storage=configMap, or loki.ruler.enabled=false") -}}
{{- end -}}
{{- if and $loki.ruler.enabled (eq $loki.ruler.storage "object") (eq $store.type "filesystem") -}}
{{- $found = append $found (list "the ruler has no storage: there is no bucket for rules" "loki.ruler.storage = object, loki.objectStorage.type = filesystem" "configMap, or an object storage" "--set loki.ruler.storage=configMap") -}}
{{- end -}}
{{- if and $loki.ruler.enabled (not $loki.ruler.alertmanagerUrl) -}}
{{- $found = append $found (list "the ruler's alerts would reach nobody" "loki.ruler.alertmanagerUrl = \"\"" "Alertmanager's address" "--set loki.ruler.alertmanagerUrl=http://alertmanager.monitoring:9093") -}}
{{- end -}}

{{- if and $loki.auth.enabled (not $loki.auth.tenant) -}}
{{- $found = append $found (list "the collector has no tenant to write for: Loki refuses every line" "loki.auth.enabled = true, loki.auth.tenant = \"\"" "a tenant's name" "--set loki.auth.tenant=sluice") -}}
{{- end -}}
{{- if $loki.ingress.enabled -}}
{{- if not $loki.auth.enabled -}}
{{- $found = append $found (list "whoever reaches the ingress reads and writes every tenant's logs" "loki.ingress.enabled = true, loki.auth.enabled = false" "authentication" "--set loki.auth.enabled=true") -}}
{{- end -}}
{{- if not (and $loki.ingress.host $loki.ingress.tlsSecret) -}}
{{- $found = append $found (list "the ingress has no name or no certificate" (printf "loki.ingress.host = %q, loki.ingress.tlsSecret = %q" $loki.ingress.host $loki.ingress.tlsSecret) "both" "--set loki.ingress.host=<name>,loki.ingress.tlsSecret=<secret>") -}}
{{- end -}}
{{- if not $loki.ingress.annotations -}}
{{- $found = append $found (list "the ingress asks nobody who they are, and Loki believes any X-Scope-OrgID" "loki.ingress.annotations = {}" "annotations with which the controller authenticates and sets X-Scope-OrgID" "--set-json loki.ingress.annotations='{\"nginx.ingress.kubernetes.io/auth-url\": \"…\", \"nginx.ingress.kubernetes.io/auth-response-headers\": \"X-Scope-OrgID\"}'") -}}
{{- end -}}
{{- end -}}

{{- if $found -}}
{{- $text := "" -}}
{{- range $found -}}
{{- $text = printf "%s\n\n%s\n  found:    %s\n  expected: %s\n  next:     %s" $text (index . 0) (index . 1) (index . 2) (index . 3) -}}
{{- end -}}
{{- fail (printf "%s\n" $text) -}}
{{- end -}}
{{- end -}}
