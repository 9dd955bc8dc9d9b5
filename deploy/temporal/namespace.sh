#!/bin/sh
# Create the namespace when it is missing. The worker registers its search attributes itself.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE come from the environment, which the temporal program reads too.
set -eu

attempts=30
# The port opens a few seconds before the server serves.
until temporal operator cluster health; do
    attempts=$((attempts - 1))
    [ "$attempts" -gt 0 ] || exit 1
    sleep 2
done

# 30 days: what security.md (D-05) allows. The proof of what happened is in the application's database.
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
