#!/bin/sh
# Backs the server up into its repository and reads the whole repository back. Usage: backup.sh full|diff|incr|nightly
#
# `nightly` is full in the hour after midnight (UTC) and what changed since in any other. It needs the server's files
# (PGDATA, to read) and the server, where PGHOST says. pgBackRest itself expires what is older than the repository keeps,
# makes the first back-up a full one, and ends only when the WAL that this back-up needs has arrived.
set -eu
kind=${1:?usage: backup.sh full|diff|incr|nightly}
if [ "$kind" = nightly ]; then
    kind=incr
    if [ "$(date -u +%H)" = 00 ]; then kind=full; fi
fi
: "${PGHOST:=/tmp}"
export PGHOST
pgbackrest --stanza=main stanza-create
pgbackrest --stanza=main --type="$kind" backup
exec verify-backup.sh
