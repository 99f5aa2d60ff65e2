# shellcheck shell=bash
# Sourced, after need.sh and private.sh: a PostgreSQL in which the tests may create databases.

# use_postgres: exports KEYSTILE_TEST_POSTGRES_URL: the given one, else the standard address, else a private server.
use_postgres() {
    local standard=postgres://postgres@127.0.0.1:5432/postgres
    if [ -n "${KEYSTILE_TEST_POSTGRES_URL:-}" ]; then
        need psql postgresql-client
        postgres_answers "$KEYSTILE_TEST_POSTGRES_URL" ||
            die "no PostgreSQL answers at KEYSTILE_TEST_POSTGRES_URL: correct or unset it"
    elif ! private_only && have psql && postgres_answers "$standard"; then
        KEYSTILE_TEST_POSTGRES_URL=$standard
    else
        start_postgres
    fi
    export KEYSTILE_TEST_POSTGRES_URL
}

postgres_answers() {
    PGCONNECT_TIMEOUT=5 psql -X -w -q -c 'select 1' "$1" >/dev/null 2>&1
}

# find_postgres: Debian keeps the server's programs out of PATH.
find_postgres() {
    local dir
    for dir in /usr/lib/postgresql/*/bin; do
        if [ -x "$dir/initdb" ]; then PATH=$dir:$PATH; fi
    done
    have initdb && have postgres && have psql
}

start_postgres() {
    local port
    find_postgres || install_package postgresql
    find_postgres || die "initdb, postgres and psql are still missing after installing 'postgresql'"
    private_dir postgres
    (cd "$DIR" && "${RUN_AS[@]}" initdb -D "$DIR/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) \
        >/dev/null || die "initdb failed"
    port=$(free_port)
    # The data is temporary and need not survive a crash of the machine: no fsync, and QUIT to stop at once.
    launch QUIT postgres -D "$DIR/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
        -c max_connections=300 -c fsync=off
    KEYSTILE_TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port/postgres
    await postgres_answers "$KEYSTILE_TEST_POSTGRES_URL"
}
