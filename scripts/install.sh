#!/usr/bin/env bash
# Installs Debian packages, as root, without starting the services that they bring.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive

# Debian asks this file whether a package may start its service. One that is there already decides for itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# A list that cannot be refreshed is told, but the old one may do.
apt-get update -qq </dev/null || echo "apt-get update failed; trying with the lists at hand" >&2
apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null
