# SPDX-License-Identifier: Apache-2.0
# Sourced behind cli.sh: servers of the engine mpc as hosts of their own would start them, with papers for each.
"$eis" ca init --dir "$scratch/ca" >/dev/null || fail "ca init"
for name in dealer a b coordinator owner stranger; do
    "$eis" ca issue --dir "$scratch/ca" --host 127.0.0.1 --server --client --name $name --out "$scratch/$name" >/dev/null || fail "ca issue"
done

start() { # NAME ROLE FLAGS...
    local name=$1 role=$2; shift 2
    "$eis" serve "$role" --listen 127.0.0.1:0 --tls-cert "$scratch/$name.crt" --tls-key "$scratch/$name.key" --client-ca "$scratch/ca/ca.crt" \
        "$@" >"$scratch/$name.out" 2>"$scratch/$name.log" </dev/null &
    pid=$!
    pids+=("$pid")
    wait_lines "$scratch/$name.out" 1 "$pid" "$scratch/$name.log"
    address=$(sed -n 's/^listening //p' "$scratch/$name.out")
}
agree() { # FILE FLAGS...
    local file=$1; shift
    "$eis" serve coordinator --write-session "$file" --party "$a=$scratch/a.crt" --party "$b=$scratch/b.crt" --triples "$dealer=$scratch/dealer.crt" \
        --model-owner "$scratch/owner.crt" --prompt-owner "$scratch/owner.crt" --tls-cert "$scratch/coordinator.crt" "$@" >/dev/null 2>"$scratch/err" ||
        fail "--write-session: $(cat "$scratch/err")"
}
