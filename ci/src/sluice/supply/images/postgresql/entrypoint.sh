#!/bin/sh
# Makes the database on the first start, then becomes the server.
set -eu
if [ "${1:-}" != postgres ]; then exec "$@"; fi  # psql and its kin, as in the official image
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_PASSWORD_FILE:?POSTGRES_PASSWORD_FILE names the file with the password}"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # A first start that was killed half-way leaves a folder that initdb refuses.
    rm -rf "$PGDATA.new"
    # shellcheck disable=SC2086  # several words
    initdb --pgdata="$PGDATA.new" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}
    echo "host all all all scram-sha-256" >> "$PGDATA.new/pg_hba.conf"
    if [ "$POSTGRES_DB" != postgres ]; then
        pg_ctl --pgdata="$PGDATA.new" --wait --options="-c listen_addresses='' -k /tmp" start
        createdb --host=/tmp --username="$POSTGRES_USER" "$POSTGRES_DB"
        pg_ctl --pgdata="$PGDATA.new" --wait --mode=fast stop
    fi
    rm -rf "$PGDATA"
    mv "$PGDATA.new" "$PGDATA"
fi
# Where a repository is mounted, the server archives into it: a segment is never older than ARCHIVE_TIMEOUT (seconds).
if [ -r "${PGBACKREST_CONFIG_INCLUDE_PATH:-/etc/pgbackrest/conf.d}/repository.conf" ]; then
    set -- "$@" -c archive_mode=on -c archive_timeout="${ARCHIVE_TIMEOUT:-20}" \
        -c archive_command='pgbackrest --stanza=main archive-push %p'
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
