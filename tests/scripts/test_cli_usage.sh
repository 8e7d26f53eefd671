#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scripts decide by exit codes and read stdout: a usage error that looks like a result, or a damaged file that looks like
# a network fault, would send their owners the wrong way. Also: stdout holds the result and nothing else.
. "$(dirname "$0")/../support/cli.sh"

# usage: 2
expect 2 'Commands:' "$eis"
expect 2 'no command "frobnicate"' "$eis" frobnicate
expect 2 'model is missing' "$eis" generate
expect 2 'unrecognized option' "$eis" generate --frobnicate
expect 2 'is no flag' "$eis" generate --model "$stories" hello
expect 2 'one of --prompt' "$eis" generate --model "$stories" --prompt a --prompt-ids 1
expect 2 'greedy goes with no sampling' "$eis" generate --model "$stories" --greedy --top-k 3
expect 2 'no engine "he"' "$eis" generate --model "$stories" --engine he
expect 2 'shares takes a whole number from 2' "$eis" generate --model "$stories" --engine split --shares 1
expect 2 'threshold takes a whole number from 2' "$eis" generate --model "$stories" --engine split --threshold 1
expect 2 'needs at least 3 servers' "$eis" generate --model "$stories" --engine split --threshold 3 --shares 2
expect 2 'needs profile f61' "$eis" generate --model "$stories" --engine split --threshold 2 --profile p24
expect 2 'needs profile f61' "$eis" generate --model "$stories" --engine split --verify --profile p8
expect 2 'not with --threshold' "$eis" generate --model "$stories" --engine split --threshold 2 --prefetch 4
expect 2 'go with --engine split' "$eis" generate --model "$stories" --shares 3
expect 2 'profile' "$eis" generate --model "$stories" --engine split --profile p99
expect 2 'EIS_KERNELS|level' env EIS_KERNELS=frobnicate "$eis" generate --model "$stories" --prompt a
expect 2 'input is missing' "$eis" classify --model "$digits"
expect 2 'out is missing' "$eis" partition --model "$stories"
expect 2 'model is missing' "$eis" plan
expect 2 'split, he and mpc' "$eis" plan --model "$stories" --engine plain
expect 2 'ca init' "$eis" ca
expect 2 'Engines:' "$eis" serve
expect 2 'no engine "frobnicate"' "$eis" serve frobnicate
expect 2 'model is missing' "$eis" serve split
expect 2 'eis ca init' "$eis" serve split --model "$stories"
expect 2 'EIS_D_IN' env EIS_D_IN=many "$eis" serve split --legacy-float
expect 2 'insecure-http' "$eis" serve split --legacy-float --http 192.0.2.1:8001
expect 2 'registry is missing' "$eis" serve api
expect 2 'insecure-http' "$eis" serve api --registry models/registry --listen 192.0.2.1:8000
expect 2 'loopback' "$eis" serve api --registry models/registry --listen 127.0.0.1:0 --admin 192.0.2.1:9000
expect 2 'exclude each other' "$eis" serve api --registry models/registry --token-file a --tenants b

# bad input: 3
expect 3 'nowhere' "$eis" generate --model "$scratch/nowhere" --prompt a
head -c 100000 "$stories/model.safetensors" >"$scratch/cut.bin"
expect 3 'cut.bin' "$eis" generate --model "$scratch/cut.bin" --prompt a
expect 3 'classifier' "$eis" generate --model "$digits" --prompt a
expect 3 'language model|classifier|generate' "$eis" classify --model "$stories" --input "$digits/samples/3.pgm"
expect 3 'context' "$eis" generate --model "$stories" --prompt-ids "$(printf '5,%.0s' $(seq 300))5"
expect 3 'token 1 of the prompt' "$eis" generate --model "$stories" --prompt-ids 0,99999
expect 2 'comma' "$eis" generate --model "$stories" --prompt-ids 1,2,
echo '1,nan,3' >"$scratch/nan.csv"
echo '[1, 2, 3]' >"$scratch/short.json"
expect 3 'nan.csv' "$eis" classify --model "$digits" --input "$scratch/nan.csv"
expect 3 'takes 784' "$eis" classify --model "$digits" --input "$scratch/short.json"
expect 3 '' "$eis" partition --unpack "$digits/model.json"
expect 3 '' "$eis" serve split --model "$scratch/nowhere" --tls-cert /dev/null --tls-key /dev/null
expect 3 'nowhere' "$eis" serve api --registry "$scratch/nowhere"
mkdir "$scratch/registry"
echo '{"model_id":"m","version":"1","description":"","he_scheme":"BFV","model":"x"}' >"$scratch/registry/m.json"
expect 3 'm.json: schema: .*he_scheme' "$eis" serve api --registry "$scratch/registry"
cp models/registry/logistic_v1.json "$scratch/registry/m.json"
head -c 5000 /dev/zero >"$scratch/jobs.db"
chmod 600 "$scratch/jobs.db"
expect 6 'jobs.db' "$eis" serve api --registry "$scratch/registry" --listen 127.0.0.1:0 --store "$scratch/jobs.db"

# a result that cannot be written is no result
for arguments in '' --json --print-ids; do
    # shellcheck disable=SC2086
    rc=0; "$eis" generate --model "$stories" --prompt a --max-tokens 3 $arguments 2>"$scratch/err" >/dev/full || rc=$?
    [ $rc -eq 3 ] && grep -q 'stdout' "$scratch/err" || fail "generate $arguments to a full disk ends with $rc"
done
rc=0; "$eis" classify --model "$digits" --input "$digits/samples/3.pgm" --json 2>/dev/null >/dev/full || rc=$?
[ $rc -eq 3 ] || fail "classify to a full disk ends with $rc"
rc=0; "$eis" plan --model "$stories" 2>/dev/null >/dev/full || rc=$?
[ $rc -eq 3 ] || fail "plan to a full disk ends with $rc"

# labels of other inputs
printf '3\n4\n' >"$scratch/labels"
expect 3 '2 labels for 1 inputs' "$eis" classify --model "$digits" --input "$digits/samples/3.pgm" --labels "$scratch/labels"
expect 0 '' "$eis" classify --model "$digits" --input "$digits/samples/3.pgm" --labels "$scratch/labels" --limit 1

# limits and the network: 4
expect 4 '' "$eis" generate --engine split --model "$stories" --servers 127.0.0.1:1,127.0.0.1:2 --timeout 500 --prompt a

# help goes to stdout, with an example, and ends with 0
for command in generate classify infer conform partition plan ca audit demo 'serve split' 'serve api'; do
    # shellcheck disable=SC2086
    expect 0 '' "$eis" $command --help
    grep -q 'Example' "$scratch/out" || fail "$command --help shows no example"
    # an example that argp had to break cannot be pasted into a shell
    awk '/^ +eis / || joined { joined = /\\$/; broken = !joined; next } broken && /^[^ ]/ { exit 1 } { broken = 0 }' "$scratch/out" ||
        fail "$command --help breaks an example"
done
expect 0 '' "$eis" --version
grep -qE '^eis [0-9]+\.[0-9]+\.[0-9]+$' "$scratch/out" || fail "--version"
expect 0 '' "$eis" generate --version

# stdout is the text, byte for byte, whatever goes to stderr; a pipe and a file get the same
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 12 >"$scratch/file" 2>/dev/null
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 12 --report 2>/dev/null | cmp - "$scratch/file" || fail "--report changes stdout"
printf 'Once upon a time' | "$eis" generate --model "$stories" --prompt-file - --max-tokens 12 | cmp - "$scratch/file" || fail "--prompt-file -"
ids=$("$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 12 --print-ids)
[ "$(tail -c 1 "$scratch/file" | wc -l)" -eq 0 ] || fail "a newline of our own"
"$eis" generate --engine split --model "$stories" --prompt-ids "${ids%,*}" --max-tokens 1 --print-ids >"$scratch/again"
[ "$(cat "$scratch/again")" = "$ids" ] || fail "ids do not lead to the same text"

# sampling with a seed says the same twice
for _ in 1 2; do "$eis" generate --model "$stories" --prompt "Once" --temperature 0.9 --top-k 40 --top-p 0.95 --seed 7 --max-tokens 20 >>"$scratch/seeded"; echo >>"$scratch/seeded"; done
[ "$(sort -u "$scratch/seeded" | wc -l)" -le "$(($(wc -l <"$scratch/seeded") / 2 + 1))" ] || fail "--seed does not repeat"

# every line of --json is one object
for engine in plain split; do
    "$eis" generate --engine $engine --model "$stories" --prompt "Once" --max-tokens 4 --json >"$scratch/lines" 2>/dev/null || fail "--json"
    [ "$(wc -l <"$scratch/lines")" -eq 5 ] || fail "--json: $(wc -l <"$scratch/lines") lines"
    python3 -c 'import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert all(set(r) == {"token", "text", "ms"} for r in rows[:-1])
assert set(rows[-1]) == {"done", "ids", "text", "report"} and rows[-1]["done"] is True
assert rows[-1]["ids"][-4:] == [r["token"] for r in rows[:-1]]
assert rows[-1]["report"]["engine"] == sys.argv[2]' "$scratch/lines" $engine || fail "--json of $engine"
    "$eis" classify --engine $engine --model "$digits" --input "$digits/samples/3.pgm" --json >"$scratch/lines" 2>/dev/null || fail "classify --json"
    python3 -c 'import json, struct, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert set(rows[0]) == {"index", "class", "label", "logits"} and rows[0]["class"] == 3 and len(rows[0]["logits"]) == 10
assert any(v != struct.unpack("f", struct.pack("f", v))[0] for v in rows[0]["logits"]), "logits go in steps of float32"
assert rows[-1]["done"] is True and rows[-1]["count"] == 1 and "report" in rows[-1]' "$scratch/lines" || fail "classify --json of $engine"
done
"$eis" plan --model "$stories" --json | python3 -m json.tool >/dev/null || fail "plan --json"
"$eis" plan --model "$digits" | grep -q 'conv1' || fail "plan"
echo ok
