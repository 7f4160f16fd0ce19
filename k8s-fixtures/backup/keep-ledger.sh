#!/bin/sh
# The ledger's ConfigMaps, kept as the API server gives them and made again where there are none.
# Usage: keep-ledger.sh back-up|restore
set -eu
account=/var/run/secrets/kubernetes.io/serviceaccount
space=$(cat $account/namespace)
configmaps="https://kubernetes.default.svc/api/v1/namespaces/$space/configmaps"
ask() {
    # The token by stdin: no argument has it.
    printf 'header = "Authorization: Bearer %s"\n' "$(cat $account/token)" |
        curl --silent --show-error --fail-with-body --max-time 30 --cacert $account/ca.crt --config - "$@"
}
listed() { ask "$configmaps?labelSelector=app.kubernetes.io/name%3Dsluice-ledger"; }
folder=$(mktemp -d)
case ${1:?usage: keep-ledger.sh back-up|restore} in
    back-up)
        listed > "$folder/ledger.json"
        if [ "$(jq '.items | length' "$folder/ledger.json")" = 0 ]; then
            # A cluster that is raised anew has none until it is restored: kept, that would be the newest.
            echo "there is no ledger: nothing is kept"
            exit 0
        fi
        exec keep-files.sh back-up ledger "$folder"
        ;;
    restore)
        if [ "$(listed | jq '.items | length')" != 0 ]; then
            echo "keep-ledger.sh: there is a ledger: nothing is restored over it" >&2
            exit 73
        fi
        told=$(keep-files.sh restore ledger "$folder")
        # A list is no ConfigMap: one request each. What the API server added to them it adds anew.
        jq --compact-output '.items[] | {apiVersion: "v1", kind: "ConfigMap", data,
            metadata: (.metadata | {name, labels, annotations} | with_entries(select(.value)))}' \
            "$folder/ledger.json" > "$folder.lines"
        while read -r line; do
            printf %s "$line" > "$folder.one"
            ask --output /dev/null --header 'Content-Type: application/json' --data-binary "@$folder.one" "$configmaps"
        done < "$folder.lines"
        echo "$told"
        ;;
    *)
        echo "keep-ledger.sh: no such command: $1" >&2
        exit 64
        ;;
esac
