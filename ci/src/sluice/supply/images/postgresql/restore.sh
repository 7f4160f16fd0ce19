#!/bin/sh
# Restores the server's files from its repository into an empty folder and says how far they reach. The last line is JSON.
#
#   restore.sh latest|'2026-11-26 12:00:00+00'     into PGDATA, to the end of the archive or to a moment
#   restore.sh --check latest                      the same, on trial: archives nothing, and removes what it restored
#
# Recovery by itself ends quietly where the archive has a gap. So it is compared with the last segment that the archive has.
# The superuser's password is that of today (POSTGRES_PASSWORD_FILE): what was restored has another.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}" "${RESTORE_SECONDS:=3600}" "${RESTORE_PORT:=5432}"
check=
if [ "${1:-}" = --check ]; then check=yes; shift; fi
target=${1:?usage: restore.sh [--check] latest|TIME}
fail() { echo "restore.sh: $1" >&2; exit "$2"; }

if [ -d "$PGDATA" ] && [ -n "$(ls -A "$PGDATA")" ]; then
    fail "$PGDATA is not empty: nothing is restored over data. Remove the volume, or restore into another." 73
fi
# What a wrong key makes of a file is not to be printed as it is.
info=$(pgbackrest --stanza=main --log-level-console=off --output=json info | LC_ALL=C tr -cd '[:print:]')
case $info in
    *'"backup":[]'* | '[]') fail "the repository has no backup of main that this key opens: $(printf %.600s "$info")" 66 ;;
esac
reaches=$(printf %s "$info" | grep -o '"max":"[0-9A-F]*"' | tail -n 1 | cut -d '"' -f 4)

new=$PGDATA.new
rm -rf "$new"  # of a restore that was killed: what is whole is called otherwise
mkdir -p "$new"
chmod 0700 "$new"
set -- --stanza=main --pg1-path="$new" --log-level-console=warn
if [ "$target" = latest ]; then
    pgbackrest "$@" restore
else
    pgbackrest "$@" --type=time --target="$target" --target-action=promote restore
fi

sockets=$(mktemp -d)
trap 'pg_ctl --pgdata="$new" --mode=immediate stop > /dev/null 2>&1 || true; rm -rf "$sockets"' EXIT
sql() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 \
        --host="$sockets" --port="$RESTORE_PORT" --username="$POSTGRES_USER" --dbname=postgres "$@"
}
# Nothing is archived yet: the timeline that begins where recovery ended may be one that nobody wants, and whoever restores
# next would follow it. For nobody before it is done: then it need not have room for as many connections as the server that was backed up.
postgres -D "$new" -c hot_standby=off -c listen_addresses='' -c port="$RESTORE_PORT" -c unix_socket_directories="$sockets" \
    -c archive_mode=off > "$new.log" 2>&1 &
server=$!
until sql --command="SELECT 1" > /dev/null 2>&1; do
    RESTORE_SECONDS=$((RESTORE_SECONDS - 1))
    if ! kill -0 $server 2> /dev/null || [ "$RESTORE_SECONDS" -le 0 ]; then
        cat "$new.log"
        fail "recovery failed: $(grep -E 'FATAL|PANIC' "$new.log" | tail -n 1 | sed 's/.*\(FATAL\|PANIC\)/\1/')" 65
    fi
    sleep 1
done
said=$(sql --command="SELECT pg_walfile_name(pg_last_wal_replay_lsn()), pg_last_wal_replay_lsn(),
    coalesce(extract(epoch FROM pg_last_xact_replay_timestamp())::text, 'null')")
segment=${said%%|*} rest=${said#*|}
lsn=${rest%%|*} commit=${rest#*|}
if [ "$target" = latest ] && expr "$(printf %.16s "${segment#????????}")" '<' "$(printf %.16s "${reaches#????????}")" > /dev/null; then
    fail "recovery ended in segment $segment, the archive reaches to $reaches: a segment between them is missing" 65
fi
if [ -z "$check" ]; then
    sql <<'SQL'
-- The password comes from a file, and a statement that fails is not to be logged with it.
\set password `cat "$POSTGRES_PASSWORD_FILE"`
SET log_min_error_statement = panic;
ALTER ROLE CURRENT_USER PASSWORD :'password';
SQL
fi
pg_ctl --pgdata="$new" --wait --mode=fast stop > /dev/null
if [ -n "$check" ]; then
    rm -rf "$new" "$new.log"
else
    history=$(find "$new/pg_wal" -maxdepth 1 -name '*.history' | sort | tail -n 1)
    pgbackrest --stanza=main --pg1-path="$new" --log-level-console=warn archive-push "$history"
    rm -rf "$PGDATA" "$new.log"
    mv "$new" "$PGDATA"
fi
echo "{\"segment\": \"$segment\", \"lsn\": \"$lsn\", \"last_commit\": $commit}"
