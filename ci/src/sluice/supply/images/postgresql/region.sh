#!/bin/sh
# What a server of two regions does before it starts: it follows the other region's, goes on as the primary, or refuses.
#
# Files in REGION (a ConfigMap) say which: `name` of this region (its slot's too), `role` (primary, standby, fenced), `epoch`,
# `first` (yes: there never was a database), `alone` (yes: the other side is fenced or lost, nobody is to be asked),
# `peer-host` and `peer-port`. The last line tells what was done. Exit status 73: there is data that is not overwritten;
# 78: this side may not write, or its role is none. Nothing here makes a primary of a standby: pg_promote does, asked by a person.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}" "${REGION:=/etc/region}" "${PEER_SECONDS:=600}"
: "${REPLICATION_PASSWORD_FILE:=/etc/secrets/replication/password}" "${PGPASSFILE:=/var/run/postgresql/replication.pgpass}"
: "${REGION_CA:=/etc/secrets/region/ca.crt}"
said() { if [ -r "$REGION/$1" ]; then cat "$REGION/$1"; fi; }
fail() { echo "region.sh: $1" >&2; exit "$2"; }
name=$(said name) role=$(said role) epoch=$(said epoch)
expr "$name" : '[a-z][a-z0-9_]*$' > /dev/null || fail "the region's name is '$name': expected lower case letters and digits" 78
umask 077
printf '*:*:*:replication:%s\n' "$(sed 's/[\\:]/\\&/g' "$REPLICATION_PASSWORD_FILE")" > "$PGPASSFILE"
export PGPASSFILE PGCONNECT_TIMEOUT=5 LC_ALL=C
# Only whom the authority of both regions knows by that name is asked, and follows or is followed by.
peer="host=$(said peer-host) port=$(said peer-port) user=replication application_name=$name sslmode=verify-full sslrootcert=$REGION_CA"

# The replication protocol's own commands: https://www.postgresql.org/docs/15/protocol-replication.html
ask() { psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$peer dbname=postgres replication=true" --command="$1" 2>&1; }
control() { pg_controldata --pgdata="$PGDATA" | sed -n "s/^$1: *//p"; }
# Of a server that was promoted a moment ago the control file still has the timeline before; the history file is there already.
timeline() {
    { control "Latest checkpoint's TimeLineID"
      find "$PGDATA/pg_wal" -maxdepth 1 -name '????????.history' | sed 's|.*/\(........\).*|\1|' |
          while read -r number; do printf '%d\n' "0x$number"; done
    } | sort -n | tail -n 1
}
# Ask until the peer answers; with `primary`, until it answers as one that writes.
await_peer() {
    while :; do
        if answer=$(ask IDENTIFY_SYSTEM) && standby=$(ask "SHOW in_hot_standby"); then
            system=${answer%%|*} rest=${answer#*|}
            peers_timeline=${rest%%|*}
            if [ "$standby" = off ] || [ "${1:-}" != primary ]; then return; fi
            answer="it follows somebody itself"
        fi
        PEER_SECONDS=$((PEER_SECONDS - 1))
        if [ "$PEER_SECONDS" -le 0 ]; then
            fail "the other region does not tell ${2}: $answer" 75
        fi
        if [ $((PEER_SECONDS % 15)) = 0 ]; then echo "region.sh: waiting for the other region: $answer"; fi
        sleep 1
    done
}
# Whether there is anything in PGDATA.
used() { [ -d "$PGDATA" ] && [ -n "$(ls -A "$PGDATA")" ]; }

case $role in
fenced)
    fail "$name was fenced at epoch $epoch: it may not write. ./nox -s regions -- up makes a standby of it" 78
    ;;
primary)
    if ! used; then
        [ "$(said first)" = yes ] || fail "$PGDATA is empty, and $name had the data at epoch $epoch: fail over to the other region" 73
        echo "$name: the first database"
    elif [ -e "$PGDATA/standby.signal" ]; then
        echo "$name: follows until it is promoted"
    elif [ "$(said alone)" = yes ]; then
        echo "$name: goes on as the primary, alone"
    else
        # Whoever was promoted meanwhile is on a later timeline. Whom nobody answers cannot know, and does not write.
        await_peer any "whether it was promoted while this side was away (alone: yes in the ConfigMap region lets $name go on unasked)"
        [ "$system" = "$(control 'Database system identifier')" ] || fail "the other region has another database ($system)" 78
        own=$(timeline)
        if [ "$peers_timeline" -gt "$own" ] || { [ "$peers_timeline" = "$own" ] && [ "$standby" = off ]; }; then
            fail "the other region went on at timeline $peers_timeline, $name is at $own: it may not write. ./nox -s regions -- up makes a standby of it" 78
        fi
        echo "$name: goes on as the primary"
    fi
    exit 0
    ;;
standby) ;;
*) fail "the role of $name is '$role': expected primary, standby or fenced" 78 ;;
esac

if used && [ ! -s "$PGDATA/PG_VERSION" ]; then
    fail "$PGDATA is not empty and holds no server's files: nothing is overwritten. Remove the volume, or give another." 73
fi
if [ -e "$PGDATA/standby.signal" ] && [ ! -e "$PGDATA.rewinding" ]; then
    echo "$name: follows"
    exit 0
fi
await_peer primary "that it writes"
# One of before may be of WAL that was given up; nobody follows by it, since whoever would is not there yet.
if ! gone=$(ask "DROP_REPLICATION_SLOT $name"); then
    case $gone in
        *"does not exist"*) ;;
        *) fail "the slot of $name is in use: $gone" 75 ;;
    esac
fi
made=$(ask "CREATE_REPLICATION_SLOT $name PHYSICAL RESERVE_WAL") || fail "no slot for $name: $made" 75
how="follows a new copy"
if used; then
    own=$(control 'Database system identifier')
    [ "$own" = "$system" ] || fail "$PGDATA has another database ($own) than the other region ($system): nothing is overwritten. Remove the volume, or give another." 73
    # What a rewind that was killed leaves is good for nothing.
    if [ ! -e "$PGDATA.rewinding" ]; then
        touch "$PGDATA.rewinding"
        if pg_rewind --target-pgdata="$PGDATA" --source-server="$peer dbname=postgres" >&2; then
            rm -rf "$PGDATA"/pg_replslot/*  # of those who followed this side
            touch "$PGDATA/standby.signal"
            rm "$PGDATA.rewinding"
            echo "$name: follows after a rewind"
            exit 0
        fi
    fi
    aside=$PGDATA.before-$epoch
    [ ! -e "$aside" ] || fail "$PGDATA cannot be rewound, and $aside is there already: look at it, then remove it" 73
    mv "$PGDATA" "$aside"
    how="follows a new copy; it could not be rewound, and lies in $aside"
fi
rm -rf "$PGDATA.new"  # of a copy that was killed: what is whole is called otherwise
pg_basebackup --pgdata="$PGDATA.new" --dbname="$peer" --slot="$name" --wal-method=stream --checkpoint=fast --no-password
touch "$PGDATA.new/standby.signal"
if [ -d "$PGDATA" ]; then rmdir "$PGDATA"; fi
mv "$PGDATA.new" "$PGDATA"
rm -f "$PGDATA.rewinding"
echo "$name: $how"
