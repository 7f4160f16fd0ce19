{{/*
One fault pages once: while the first alert fires, those that follow from it are kept back. docs/alerting.md has the same as
a table, and tests hold the two together. Where `equal` names a label, both have it: alerts that lack it would else count as
being about the same.
*/}}
{{- define "monitoring.inhibition" -}}
# What is critical for a service covers its warnings.
- source_matchers: [severity = critical, 'service != ""']
  target_matchers: ['severity =~ "warning|info"', 'service != ""']
  equal: [namespace, service]
# A service that is not there neither answers nor reads; that it cannot be scraped is the lesser half of it.
- source_matchers: [alertname = ServiceUnavailable]
  target_matchers: [alertname = ServiceAbsent]
  equal: [namespace, service]
- source_matchers: ['alertname =~ "ServiceUnavailable|ServiceAbsent"']
  target_matchers: ['alertname =~ "ServiceErrorRatioHigh|ErrorBudgetBurnFast|DaprUnavailable|DaprAppUnhealthy|DaprAppUnsubscribed|KafkaConsumerGroupEmpty|KafkaConsumerStalled|SchedulerStalled|OutboxStale"']
  equal: [namespace, service]
# Users are served errors: what they cost of the budget is no second page.
- source_matchers: [alertname = ServiceErrorRatioHigh]
  target_matchers: [alertname = ErrorBudgetBurnFast, slo = availability]
  equal: [namespace, service]
# Without its database no service is ready, hands anything on or finishes an event.
- source_matchers: ['alertname =~ "PostgresqlDown|PostgresqlConnectionsExhausted"']
  target_matchers: ['alertname =~ "ServiceUnavailable|ServiceErrorRatioHigh|ServiceDependencyDown|ErrorBudgetBurnFast|OutboxStale|SchedulerStalled|KafkaConsumerStalled|WebSocketListenerLost"']
  equal: [namespace]
# Without a broker nobody publishes and nobody reads.
- source_matchers: [alertname = KafkaDown]
  target_matchers: ['alertname =~ "Kafka.+|DaprPublishFailing|DaprPublishSlow|DaprAppUnsubscribed|DaprComponentInitFailed|DaprDeliveriesRetried|OutboxStale|OutboxGrowing|EventPublishingFailing|EventDelayHigh"', alertname != KafkaDown]
  equal: [namespace]
- source_matchers: [alertname = KafkaDown]
  target_matchers: [alertname = ErrorBudgetBurnFast, 'slo =~ "event-.+|outbox-.+"']
  equal: [namespace]
# A broker that takes nothing is why events wait.
- source_matchers: ['alertname =~ "KafkaOfflinePartitions|KafkaNoController|KafkaUnderMinIsr"']
  target_matchers: ['alertname =~ "DaprPublishFailing|OutboxStale|EventPublishingFailing|KafkaConsumerStalled"']
  equal: [namespace]
# A sidecar that is not there or lacks its component neither reads nor publishes; one that publishes nothing fills the outbox.
- source_matchers: ['alertname =~ "DaprUnavailable|DaprComponentInitFailed"']
  target_matchers: ['alertname =~ "DaprAppUnsubscribed|DaprPublishFailing|OutboxStale|KafkaConsumerGroupEmpty|KafkaConsumerStalled"']
  equal: [namespace, service]
- source_matchers: [alertname = DaprPublishFailing]
  target_matchers: [alertname = OutboxStale]
  equal: [namespace, service]
# Who reads nothing does not get on.
- source_matchers: [alertname = DaprAppUnsubscribed]
  target_matchers: ['alertname =~ "KafkaConsumerGroupEmpty|KafkaConsumerStalled"']
  equal: [namespace, service]
- source_matchers: [alertname = KafkaConsumerGroupEmpty]
  target_matchers: [alertname = KafkaConsumerStalled]
  equal: [namespace, service]
# Without Loki no log arrives.
- source_matchers: [alertname = LokiDown]
  target_matchers: ['alertname =~ "Loki.+|Logs.+|LogPushesFailing"', alertname != LokiDown]
  equal: [namespace]
# A node that is lost takes its kubelet along, and pods here and there: those name no node.
- source_matchers: [alertname = NodeNotReady]
  target_matchers: ['alertname =~ "Kubelet.+|Node.+"', alertname != NodeNotReady]
  equal: [node]
- source_matchers: [alertname = NodeNotReady]
  target_matchers: ['alertname =~ "PodNotReady|PodStuckTerminating|DaemonSetPodsMissing|StatefulSetPodsMissing|ServiceReplicasMissing|TargetDown"']
# Without the API server nothing can be asked, without names nothing is found.
- source_matchers: [alertname = ApiServerDown]
  target_matchers: ['alertname =~ "ApiServer.+|AggregatedApiDown|Kubelet.+"', alertname != ApiServerDown]
- source_matchers: [alertname = DnsDown]
  target_matchers: ['alertname =~ "ServiceUnavailable|ServiceErrorRatioHigh|ErrorBudgetBurnFast|DaprPublishFailing|OutboxStale|KafkaConsumerStalled|WebSocketListenerLost|DnsErrorsHigh"']
{{- end -}}
