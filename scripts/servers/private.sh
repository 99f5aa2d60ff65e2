# shellcheck shell=bash
# Sourced: private servers, each in a temporary directory on a free port, that live as long as the calling script.

PRIVATE_SERVERS=() # "signal pid directory"

# private_only: whether to ignore servers that answer at the standard address.
private_only() { [ "${KEYSTILE_TEST_PRIVATE:-}" = 1 ]; }

free_port() {
    local port
    # Below the range from which the kernel assigns ports to clients, so that it is not assigned in between.
    while port=$((20000 + RANDOM % 12000)); do
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# private_dir USER: sets DIR to a new directory, and RUN_AS to a prefix that runs a command as its owner. Database servers
# refuse to run as root; as root, the owner is USER if the package has created it, else the user nobody.
private_dir() {
    local user=$1
    RUN_AS=()
    DIR=$(mktemp -d /tmp/keystile-test.XXXXXX)
    PRIVATE_SERVERS+=("- - $DIR")
    if [ "$(id -u)" -eq 0 ]; then
        id -u "$user" >/dev/null 2>&1 || user=nobody
        RUN_AS=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
        chown "$user" "$DIR"
    fi
}

# launch SIGNAL COMMAND...: starts a server in DIR; SIGNAL is what stops it.
launch() {
    local signal=$1
    shift
    (cd "$DIR" && exec "${RUN_AS[@]}" "$@") >"$DIR/log" 2>&1 </dev/null &
    PID=$!
    PRIVATE_SERVERS[-1]="$signal $PID $DIR"
}

# await PROBE...: waits until the server launched last answers.
await() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if "$@"; then return; fi
        if ! kill -0 "$PID" 2>/dev/null; then break; fi
        sleep 0.1
    done
    cat "$DIR/log" >&2
    die "a private server did not come up; its log is above"
}

stop_private() {
    local server signal pid dir
    for server in "${PRIVATE_SERVERS[@]}"; do
        read -r signal pid dir <<<"$server"
        if [ "$pid" != - ]; then stop_one "$signal" "$pid"; fi
        rm -rf -- "$dir"
    done
    PRIVATE_SERVERS=()
}

stop_one() {
    local signal=$1 pid=$2 tries
    kill -s "$signal" "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    if kill -KILL "$pid" 2>/dev/null; then echo "server $pid had to be killed" >&2; fi
    wait "$pid" 2>/dev/null || true
}
