#!/bin/sh
# Writes the settings, formats the storage on the first start, then becomes the broker. Kafka's own class for its image
# does the first two, so that the environment means here exactly what it means there.
set -eu
: "${CLUSTER_ID:?CLUSTER_ID names the cluster: 16 bytes in base64, as kafka-storage random-uuid prints them}"
config=/opt/kafka/config
said=$(kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup \
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir $config 2>&1) || {
    case $said in
        *"already formatted"*) ;;
        *) echo "$said" >&2; exit 1 ;;
    esac
}
# As in Kafka's own kafka-server-start.sh, EXTRA_ARGS are for the broker alone and may begin with a name for its logs.
# shellcheck disable=SC2086
set -- ${EXTRA_ARGS:-}
if [ "${1:-}" = -name ]; then shift 2; fi
KAFKA_LOG4J_OPTS=${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$config/log4j2.yaml}
KAFKA_HEAP_OPTS=${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}
export KAFKA_LOG4J_OPTS KAFKA_HEAP_OPTS
exec kafka-run-class.sh "$@" kafka.Kafka $config/server.properties
