#!/bin/sh
# Runs a class of Kafka's, or under the name of one of its tools that tool. Reads the variables that Kafka's own scripts
# read; what stands before the class goes to Java.
set -eu
case ${0##*/} in
    kafka-topics.sh) set -- org.apache.kafka.tools.TopicCommand "$@" ;;
    kafka-console-producer.sh) set -- org.apache.kafka.tools.ConsoleProducer "$@" ;;
    kafka-console-consumer.sh) set -- org.apache.kafka.tools.consumer.ConsoleConsumer "$@" ;;
    kafka-consumer-groups.sh) set -- org.apache.kafka.tools.consumer.group.ConsumerGroupCommand "$@" ;;
esac
: "${KAFKA_HEAP_OPTS:=-Xmx256m}" "${KAFKA_JVM_PERFORMANCE_OPTS:=-XX:+UseSerialGC}" "${KAFKA_OPTS:=}"
: "${KAFKA_LOG4J_OPTS:=-Dlog4j2.configurationFile=/etc/kafka/docker/tools-log4j2.yaml}"
# In an order that is always the same: classes kept in kafka.jsa are taken only with the very class path of then.
jars=$(printf '%s:' /opt/kafka/libs/*.jar)
shared=
if [ -e /opt/kafka/kafka.jsa ]; then shared=-XX:SharedArchiveFile=/opt/kafka/kafka.jsa; fi
# They are lists of words, as in Kafka's own scripts.
# shellcheck disable=SC2086
exec java $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $shared $KAFKA_LOG4J_OPTS -cp "$jars" $KAFKA_OPTS "$@"
