#!/bin/sh
# Keeps a folder in an encrypted repository of files, and brings it back. The last line is JSON.
#
#   keep-files.sh back-up NAME FOLDER      a folder that nobody writes to: a new snapshot; then the repository is checked,
#                                          and a tenth of its data read back
#   keep-files.sh back-up-live NAME FOLDER     the same of a copy, of a folder that is written to meanwhile
#   keep-files.sh back-up-snapshot NAME FOLDER the same of what SNAPSHOT_URL is asked to put into FOLDER (Prometheus)
#   keep-files.sh restore NAME FOLDER      the newest snapshot of that name into an empty folder, every byte compared
#   keep-files.sh verify NAME              every byte of the repository is read, decrypted and compared
#
# Each name has a repository of its own, below RESTIC_REPOSITORY: whoever prunes one keeps nobody else waiting. AGAIN makes
# back-up-live come back so many times, PAUSE_SECONDS after each: a CronJob's own minute is too long for some.
# RESTIC_REPOSITORY says where they lie; REPOSITORY_SECRETS is the folder with passphrase, credentials (in AWS's form) and
# ca.crt. A snapshot's tag has the checksum over the folder's names and contents: what is restored has to have the same.
set -eu
: "${RESTIC_REPOSITORY:?where the repository lies}" "${REPOSITORY_SECRETS:=/etc/secrets/repository}"
export RESTIC_PASSWORD_FILE="$REPOSITORY_SECRETS/passphrase" AWS_SHARED_CREDENTIALS_FILE="$REPOSITORY_SECRETS/credentials"
export RESTIC_CACHE_DIR="${RESTIC_CACHE_DIR:-${TMPDIR:-/tmp}/restic}"
fail() { echo "keep-files.sh: $1" >&2; exit "$2"; }
keep() { restic --cacert "$REPOSITORY_SECRETS/ca.crt" --quiet "$@"; }
# Somebody else's lock is waited for: for as long as one back-up of a store that is not large takes.
patiently() {
    tries=0
    while ! said=$(keep "$@" 2>&1); do
        tries=$((tries + 1))
        case $said in
            *"already locked"*) [ $tries -lt 20 ] || fail "$said" 75 ;;
            *) fail "$said" 1 ;;
        esac
        sleep 3
    done
}
files() { find "$1" -mindepth 1 -name lost+found -prune -o -type f -print; }  # lost+found is the volume's own
sum_of() { (cd "$1" && files . | LC_ALL=C sort | tr '\n' '\0' | xargs -0 -r sha256sum | sha256sum | cut -d ' ' -f 1); }
newest() {
    found=$(keep snapshots --host sluice --tag "$name" --json latest) || return 1
    snapshot=$(printf %s "$found" | grep -o '"time":"[^"]*"' | tail -n 1 | cut -d '"' -f 4)
    kept=$(printf %s "$found" | grep -o '"sha256-[0-9a-f]*"' | tail -n 1 | tr -d '"' | cut -c 8-)
}
told() {
    echo "{\"name\": \"$name\", \"snapshot\": \"$snapshot\", \"files\": $(files "$1" | wc -l), \"kept\": \"$kept\", \"sha256\": \"$2\"}"
}

# What the owner removes while it is copied is not missed; what tells how far files are whole is copied before them.
copied() {
    mkdir -p "$2"
    (cd "$1" && find . -name '*-checkpoint' -type f -exec cp --parents --preserve=all {} "$2" \; 2> /dev/null) || true
    if ! cp --archive --no-clobber "$1/." "$2" 2> "$2.said" && grep -v 'No such file or directory' "$2.said" >&2; then
        fail "$1 could not be copied" 74
    fi
    rm -rf "$2/lost+found" "$2/.kafka_cleanshutdown"
}

command=${1:?usage: keep-files.sh back-up|back-up-live|back-up-snapshot|restore|verify}
name=${2:?usage: keep-files.sh $command NAME}
export RESTIC_REPOSITORY="$RESTIC_REPOSITORY/$name"
case $command in
    back-up* | restore) folder=${3:?usage: keep-files.sh $command NAME FOLDER} ;;
esac
case $command in
    back-up-live)
        live=$(mktemp -d)
        trap 'rm -rf "$live" "$live.said"' EXIT
        copied "$folder" "$live"
        original=$folder folder=$live command=back-up
        ;;
    back-up-snapshot)
        made=$(curl --silent --show-error --fail-with-body --max-time 120 --request POST "${SNAPSHOT_URL:?what is asked}" |
            sed -n 's/.*"name":"\([^"]*\)".*/\1/p')
        [ -n "$made" ] || fail "$SNAPSHOT_URL made no snapshot: is the admin API on?" 69
        folder=$folder/$made command=back-up
        trap 'rm -rf "$folder"' EXIT
        ;;
esac
case $command in
    back-up)
        while :; do
            [ -n "$(files "$folder")" ] || fail "$folder has no file: there is nothing to back up" 66
            # A repository that is there and does not open is no reason to make another: `init` refuses that by itself.
            keep cat config > /dev/null 2>&1 || keep init
            sum=$(sum_of "$folder")
            (cd "$folder" && patiently backup --host sluice --tag "$name,sha256-$sum" --exclude lost+found .)
            patiently forget --host sluice --tag "$name" --group-by host --keep-last 24 --keep-daily 7 --prune
            patiently check --read-data-subset=10%
            newest
            told "$folder" "$sum"
            if [ "${AGAIN:-0}" -le 0 ] || [ -z "${original:-}" ]; then break; fi
            AGAIN=$((AGAIN - 1))
            sleep "${PAUSE_SECONDS:-15}"
            find "$folder" -mindepth 1 -delete
            copied "$original" "$folder"
        done
        ;;
    restore)
        mkdir -p "$folder"
        if find "$folder" -mindepth 1 -maxdepth 1 ! -name lost+found | grep -q .; then
            fail "$folder is not empty: nothing is restored over data. Remove the volume, or restore into another." 73
        fi
        { newest && [ -n "$snapshot" ]; } || fail "the repository has no snapshot of $name that this key opens" 66
        # Into a folder of its own first: one that was restored in part would be taken for a whole one.
        mkdir "$folder/.restoring"
        keep restore latest --host sluice --tag "$name" --target "$folder/.restoring" --verify || {
            status=$?
            rm -rf "$folder/.restoring"
            fail "the snapshot of $snapshot is not whole" $status
        }
        sum=$(sum_of "$folder/.restoring")
        if [ "$sum" != "$kept" ]; then
            rm -rf "$folder/.restoring"
            fail "the snapshot of $snapshot is $sum, and was $kept when it was kept" 65
        fi
        find "$folder/.restoring" -mindepth 1 -maxdepth 1 -exec mv {} "$folder" \;
        rmdir "$folder/.restoring"
        told "$folder" "$sum"
        ;;
    verify) keep check --read-data ;;
    *) fail "no such command: $command" 64 ;;
esac
