# shellcheck shell=bash
# Sourced: makes sure that a command exists, or fails with what to do about it.

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND PACKAGE: installs Debian's PACKAGE unless COMMAND exists.
need() {
    have "$1" || install_package "$2"
    have "$1" || die "'$1' is still missing after installing '$2'"
}

install_package() {
    have apt-get || die "please install what Debian calls '$1', then run this again"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || die "please run 'apt-get install $1' as root, then run this again"
        as_root=(sudo)
    fi
    echo "installing $1"
    "${as_root[@]}" bash "$(dirname "${BASH_SOURCE[0]}")/install.sh" "$1" ||
        die "could not install '$1': install it by hand, then run this again"
}
