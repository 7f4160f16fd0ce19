#!/bin/sh
# Prints, as one line of JSON, what sluice.regions.mirror.parse reads: of the source each partition's oldest and end offset, and of
# each the last that the mirror noted as copied; all of them as topic:partition:offset. What was copied is read before the end: what
# comes meanwhile counts as lag, and nothing is missed. Fails where a broker does not answer, or not all notes were read.
set -eu
run=${KAFKA_RUN_CLASS:-/opt/kafka/bin/kafka-run-class.sh}
here=$(dirname "$0")
notes=mm2-offsets.source.internal
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

offsets() { "$run" org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$@"; }
of_source() { offsets "$SOURCE_BROKER" --command-config "$here/source.properties" --exclude-internal-topics --time "$1"; }

# Side by side, since most of their time they start.
of_source earliest > "$work/oldest" &
oldest=$!
{ offsets "$TARGET_BROKER" --topic "$notes" --time latest > "$work/target" 2>&1 || grep 'Could not match' "$work/target"; } > "$work/none" &
target=$!
# Connect notes `["MirrorSourceConnector",{"cluster":"source","partition":0,"topic":"tasks"}]` → `{"offset":41}`; of each partition the
# last note counts. Reading ends when nothing came for a time; whether that was all, the end of the notes' topic tells.
read_notes() {
    "$run" org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$TARGET_BROKER" --topic "$notes" --partition 0 \
        --offset earliest --timeout-ms "$1" --consumer-property allow.auto.create.topics=false \
        --property print.offset=true --property print.key=true --property key.separator=' ' > "$work/notes" 2> "$work/said" \
        || { cat "$work/said" >&2; return 1; }
    sed -n 's/^Offset:\([0-9]*\) .*/\1/p' "$work/notes" | tail -n 1
}
last=$(read_notes 2000)
wait $oldest
wait $target || { cat "$work/target" >&2; exit 1; }  # a mirror that never ran has no notes, which is an answer
end=$(sed -n "s/^$notes:0:\([0-9]*\)\$/\1/p" "$work/target")
for longer in 5000 15000; do  # a busy machine
    if [ $((${last:--1} + 1)) -lt "${end:-0}" ]; then last=$(read_notes $longer); fi
done
if [ $((${last:--1} + 1)) -lt "${end:-0}" ]; then
    echo "lag.sh: of $end notes in $notes ${last:-none} was the last that came" >&2
    exit 75
fi
of_source latest > "$work/end"
sed -n 's/^Offset:[0-9]* \["MirrorSourceConnector",{.*"partition":\([0-9]*\),"topic":"\([^"]*\)".*}\] {"offset":\([0-9]*\)}$/\2:\1 \3/p' \
    "$work/notes" | awk '{ last[$1] = $2 } END { for (one in last) print one ":" last[one] }' > "$work/copied"
# Topics that mirror.properties excludes are no events.
list() { sed '/^__/d; /^[^:]*\.internal:/d; s/.*/"&"/' "$work/$1" | sort | paste -s -d , -; }
printf '{"oldest":[%s],"end":[%s],"copied":[%s]}\n' "$(list oldest)" "$(list end)" "$(list copied)"
