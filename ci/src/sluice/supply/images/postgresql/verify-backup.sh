#!/bin/sh
# Reads every file of the repository, decrypts it and compares its checksum; then looks whether the WAL segments of each
# timeline follow each other. Exit status 1 where a file is not whole or a segment is missing. Usage: verify-backup.sh
#
# pgBackRest's `verify` (2.45) tells what it found and ends with 0 all the same, so its words are read; and a segment that
# is missing is to it the end of a range, and no fault. It asks for each file once: of a damaged bundle of hundreds every
# one would be asked for again after a quarter of a minute.
set -eu
pgbackrest() { command pgbackrest --stanza=main --log-level-console=off "$@"; }
bad=
found=$(pgbackrest --job-retry=0 --output=text --verbose verify) || bad="it cannot be read"
echo "$found"
case $found in
    *"status: ok"*) ;;
    *) bad=${bad:-a file is not whole} ;;
esac
# A segment's name: timeline, log, segment, each in 8 hexadecimal digits; a log has 256 segments of 16 MB.
missing=$(pgbackrest --filter='/[0-9A-F]{24}-[0-9a-f]{40}' --recurse repo-ls archive/main | sed 's|.*/||' | cut -c 1-24 | sort -u | awk '
    function number(hex,    i, n) {
        for (i = 1; i <= length(hex); i++) n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
        return n
    }
    {
        timeline = substr($0, 1, 8)
        at = number(substr($0, 9, 8)) * 256 + number(substr($0, 17, 8))
        if (timeline == before && at != last + 1) print "missing: " at - last - 1 " between " name " and " $0
        before = timeline; last = at; name = $0
    }')
if [ -n "$missing" ]; then
    echo "$missing"
    bad="${bad:+$bad, and }WAL is missing"
fi
if [ -n "$bad" ]; then
    echo "verify-backup.sh: the repository is not whole: $bad" >&2
    exit 1
fi
