# SPDX-License-Identifier: Apache-2.0
# Sourced by tests/scripts/test_cli_*.sh: the program, a scratch folder, servers by hand, and checks.
set -u
root=${EIS_TEST_ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build=${EIS_TEST_BUILD:-$root/build}
eis=$build/eis
data=$root/../shared/data
stories=$root/models/tiny-stories
digits=$root/models/digits
skip() { echo "SKIP: $*"; exit 77; }
[ -x "$eis" ] || skip "$eis is not built"

cd "$root" || exit 1
scratch=$(mktemp -d)
pids=()
clean_up() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT
fail() { echo "FAIL: $*"; exit 1; }

# Runs a command that must end with RC, its stderr matching PATTERN (empty: nothing is asked of it).
expect() { # RC PATTERN COMMAND...
    local rc=$1 pattern=$2 got; shift 2
    local limit=(timeout 300)
    declare -F "$1" >/dev/null && limit=() # timeout runs programs, not functions
    "${limit[@]}" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    got=$?
    [ "$got" -eq "$rc" ] || fail "exit code $got, not $rc: $* -- $(tail -n 3 "$scratch/err") $(grep '^FAIL' "$scratch/out" | head -n 5)"
    [ -z "$pattern" ] || grep -qE -- "$pattern" "$scratch/err" || fail "stderr of $* says: $(cat "$scratch/err")"
    if [ "$rc" -ne 0 ] && [ "$rc" -ne 1 ]; then [ ! -s "$scratch/out" ] || fail "$* failed and wrote to stdout: $(head -c 200 "$scratch/out")"; fi
}

# Makes $scratch/ca and certificates a, b, c ... for so many servers, and one for a client.
make_papers() { # COUNT
    local i names=(a b c d e)
    "$eis" ca init --dir "$scratch/ca" >"$scratch/papers" || fail "ca init"
    for ((i = 0; i < $1; i++)); do
        "$eis" ca issue --dir "$scratch/ca" --host 127.0.0.1 --out "$scratch/${names[i]}" >>"$scratch/papers" || fail "ca issue"
    done
    "$eis" ca issue --dir "$scratch/ca" --client --name tester --out "$scratch/client" >>"$scratch/papers" || fail "ca issue --client"
}
pin_of() { sed -n "s|^$scratch/$1.crt pin ||p" "$scratch/papers"; }

# Waits until a process in the background has written so many lines: a minute, which only a sick machine takes.
wait_lines() { # FILE COUNT PID LOG
    local dead=0
    for _ in $(seq 1200); do
        [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ] && return
        [ $dead = 0 ] || break # it may have written its last words just before
        kill -0 "$3" 2>/dev/null || dead=1
        sleep 0.05
    done
    [ $dead = 0 ] || fail "process of $1 ended: $(cat "$4")"
    fail "process of $1 has written $(cat "$1") in a minute: $(cat "$4")"
}

# Starts a server and waits for its addresses: $stream, $http and $pid.
start_server() { # NAME FLAGS...
    local name=$1 line; shift
    "$eis" serve split "$@" >"$scratch/$name.out" 2>"$scratch/$name.log" </dev/null &
    pid=$!
    pids+=("$pid")
    stream='' http=''
    wait_lines "$scratch/$name.out" 1 "$pid" "$scratch/$name.log"
    sleep 0.1 # both lines are written at once
    while read -r line; do
        case $line in
        'listening '*) stream=${line#listening } ;;
        'http '*) http=${line#http } ;;
        *) fail "server $name prints \"$line\"" ;;
        esac
    done <"$scratch/$name.out"
    [ -n "$stream$http" ] || fail "server $name printed no address"
}

# Starts servers a, b, ... and sets $servers and the array server_pids.
start_servers() { # COUNT FLAGS...
    local i count=$1 names=(a b c d e); shift
    servers='' server_pids=()
    for ((i = 0; i < count; i++)); do
        start_server "${names[i]}" --listen 127.0.0.1:0 --tls-cert "$scratch/${names[i]}.crt" --tls-key "$scratch/${names[i]}.key" "$@"
        servers+="${servers:+,}$stream"
        server_pids+=("$pid")
    done
}

# Ends a server with SIGTERM; it must drain and end with 0.
stop_server() { # PID
    kill -TERM "$1" || fail "server $1 is gone"
    wait "$1"
    local rc=$?
    [ "$rc" -eq 0 ] || fail "a server ended with $rc after SIGTERM"
}
