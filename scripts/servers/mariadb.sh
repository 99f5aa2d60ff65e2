# shellcheck shell=bash
# Sourced, after need.sh and private.sh: a MariaDB in which the tests may create databases.

# use_mariadb: exports KEYSTILE_TEST_MYSQL_URL: the given one, else the standard address, else a private server.
use_mariadb() {
    local standard=mysql://root@127.0.0.1:3306/mysql
    PATH=$PATH:/usr/sbin
    if [ -n "${KEYSTILE_TEST_MYSQL_URL:-}" ]; then
        need mariadb mariadb-client
        mariadb_answers "$KEYSTILE_TEST_MYSQL_URL" ||
            die "no MariaDB or MySQL answers at KEYSTILE_TEST_MYSQL_URL: correct or unset it"
    elif ! private_only && have mariadb && mariadb_answers "$standard"; then
        KEYSTILE_TEST_MYSQL_URL=$standard
    else
        start_mariadb
    fi
    export KEYSTILE_TEST_MYSQL_URL
}

# mariadb_answers mysql://USER[:PASSWORD]@HOST[:PORT]/DATABASE: the client does not read such a URL itself.
mariadb_answers() {
    local url='^(mysql|mariadb)://([^:@/]+)(:([^@/]*))?@([^:/?]+)(:([0-9]+))?/([^?]+)'
    [[ $1 =~ $url ]] || die "not of the form mysql://user:password@host:port/database: a URL for MariaDB"
    MYSQL_PWD=$(unescape "${BASH_REMATCH[4]}") mariadb --no-defaults --protocol=tcp --connect-timeout=5 \
        --skip-ssl-verify-server-cert --user="$(unescape "${BASH_REMATCH[2]}")" --host="${BASH_REMATCH[5]}" \
        --port="${BASH_REMATCH[7]:-3306}" --execute='select 1' "${BASH_REMATCH[8]}" >/dev/null 2>&1
}

unescape() { printf '%b' "${1//%/\\x}"; }

start_mariadb() {
    local port
    need mariadbd mariadb-server
    need mariadb-install-db mariadb-server
    need mariadb mariadb-client
    private_dir mysql
    (cd "$DIR" && "${RUN_AS[@]}" mariadb-install-db --no-defaults --datadir="$DIR/data" --tmpdir="$DIR" \
        --auth-root-authentication-method=normal --skip-test-db) >"$DIR/log" 2>&1 || {
        cat "$DIR/log" >&2
        die "mariadb-install-db failed"
    }
    port=$(free_port)
    # Without the machine's configuration, but with the character set of Debian's.
    launch TERM mariadbd --no-defaults --datadir="$DIR/data" --tmpdir="$DIR" --socket="$DIR/socket" \
        --pid-file="$DIR/pid" --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --skip-ssl \
        --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci \
        --max-connections=300 --innodb-flush-log-at-trx-commit=0
    KEYSTILE_TEST_MYSQL_URL=mysql://root@127.0.0.1:$port/mysql
    await mariadb_answers "$KEYSTILE_TEST_MYSQL_URL"
}
