#!/bin/sh
# Starts a broker once, while the image is built, and keeps the classes that it loaded in a file (Java's class data
# sharing): each later start takes half the time. Usage: archive-classes.sh FILE
set -eu
work=$(mktemp -d)
# Loopback only, on ports that nobody else uses: the build shares the host's network.
CLUSTER_ID=AAAAAAAAAAAAAAAAAAAAAQ KAFKA_LOG_DIRS=$work KAFKA_NODE_ID=1 KAFKA_PROCESS_ROLES=broker,controller \
KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:39092,CONTROLLER://127.0.0.1:39093 \
KAFKA_CONTROLLER_QUORUM_VOTERS=1@127.0.0.1:39093 KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT KAFKA_HEAP_OPTS=-Xmx256m \
EXTRA_ARGS="-XX:ArchiveClassesAtExit=$1" entrypoint.sh > "$work/log" 2>&1 &
broker=$!
tries=0
until grep -q 'Kafka Server started' "$work/log"; do
    tries=$((tries + 1))
    if [ $tries -gt 600 ] || ! kill -0 $broker 2> /dev/null; then
        cat "$work/log"
        echo "archive-classes.sh: the broker did not start" >&2
        exit 1
    fi
    sleep 0.2
done
kill $broker
wait $broker || true
[ -s "$1" ]
rm -rf "$work" /opt/kafka/config/*
