# SPDX-License-Identifier: Apache-2.0
# Sourced behind cli.sh by tests of the Encrypted Inference API: a server and, in front of it, a proxy that changes things.

# Starts a server of the registry and waits: $api is its URL, $api_port its port, $api_pid its process.
start_api() { # NAME FLAGS...
    local name=$1; shift
    "$eis" serve api --listen 127.0.0.1:0 --poll-rate 100000 "$@" >"$scratch/$name.out" 2>"$scratch/$name.log" </dev/null &
    api_pid=$!
    pids+=("$api_pid")
    wait_lines "$scratch/$name.out" 1 "$api_pid" "$scratch/$name.log"
    api_port=$(sed -n 's/^listening .*://p' "$scratch/$name.out")
    [ -n "$api_port" ] || fail "server $name printed no address: $(cat "$scratch/$name.out")"
    api=http://127.0.0.1:$api_port
}

# Starts the proxy in front of $api_port: $proxy is its URL.
start_proxy() { # MODE
    python3 "$root/tests/support/api_proxy.py" "$api_port" "$1" >"$scratch/proxy-$1" 2>"$scratch/proxy-$1.log" &
    pids+=($!)
    wait_lines "$scratch/proxy-$1" 1 $! "$scratch/proxy-$1.log"
    proxy=http://$(sed -n 's/^listening //p' "$scratch/proxy-$1")
}

# A registry of some of the project's entries, and of models that lie in the tests: $registry.
make_registry() { # NAME...
    local name
    registry=$scratch/registry
    mkdir -p "$registry"
    for name in "$@"; do
        sed "s|\"\.\./|\"$root/models/|" "$root/models/registry/$name.json" >"$registry/$name.json"
    done
}
