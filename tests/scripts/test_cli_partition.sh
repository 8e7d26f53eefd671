#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The two files of `eis partition` are all that servers and client get. If the pack held more than the weights, or a client
# took a pack that is not its own, a text would leak or be wrong.
. "$(dirname "$0")/../support/cli.sh"
make_papers 2

# two runs give the same bytes; the digest printed is that of the pack
expect 0 '' "$eis" partition --model "$stories" --out "$scratch/parts"
cp "$scratch/out" "$scratch/said"
expect 0 '' "$eis" partition --model "$stories" --out "$scratch/again"
cmp "$scratch/parts/server.eispack" "$scratch/again/server.eispack" || fail "two packs of one model differ"
cmp "$scratch/parts/client.eispart" "$scratch/again/client.eispart" || fail "two parts of one model differ"
[ "$(ls -A "$scratch/parts" | wc -l)" -eq 2 ] || fail "something else was left behind: $(ls -A "$scratch/parts")"
grep -q "^$scratch/parts/server.eispack [0-9a-f]\{64\}\$" "$scratch/said" || fail "no digest: $(cat "$scratch/said")"

# served and used: the plaintext text, from the part alone
"$eis" generate --model "$stories" --prompt "Once upon a time" --max-tokens 20 >"$scratch/plain"
start_servers 2 --model stories="$scratch/parts/server.eispack" --verify-weights
mkdir "$scratch/alone"
cp "$scratch/parts/client.eispart" "$scratch/alone"
expect 0 '' "$eis" generate --engine split --model "$scratch/alone/client.eispart" --servers "$servers" --ca "$scratch/ca/ca.crt" \
    --prompt "Once upon a time" --max-tokens 20
cmp "$scratch/out" "$scratch/plain" || fail "from the part: another text"
expect 3 '' "$eis" generate --engine plain --model "$scratch/alone/client.eispart" --prompt a       # it has no weights
expect 3 'client part' "$eis" serve split --model "$scratch/alone/client.eispart" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key"
expect 3 'client part' "$eis" partition --model "$scratch/alone/client.eispart" --out "$scratch/alone"
for pid in "${server_pids[@]}"; do stop_server "$pid"; done

# a part and the pack of another model do not go together
expect 0 '' "$eis" partition --model "$digits" --out "$scratch/digits" --calibrate "$digits/samples/3.pgm"
start_servers 2 --model stories="$scratch/digits/server.eispack"
expect 5 '' "$eis" generate --engine split --model "$scratch/alone/client.eispart" --servers "$servers" --ca "$scratch/ca/ca.crt" --prompt a
for pid in "${server_pids[@]}"; do stop_server "$pid"; done
"$eis" classify --model "$digits" --input "$digits/samples/7.pgm" >"$scratch/plain"
expect 0 '' "$eis" classify --engine split --model "$scratch/digits/client.eispart" --input "$digits/samples/7.pgm"
cmp "$scratch/out" "$scratch/plain" || fail "digits from the part"

# one byte changed: the digest says so
python3 - "$scratch/digits/server.eispack" "$scratch/bad.eispack" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[-100] ^= 1
open(sys.argv[2], "wb").write(data)
PY
expect 5 'bad.eispack' "$eis" serve split --verify-weights --model "$scratch/bad.eispack" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key"
head -c 5000 "$scratch/digits/server.eispack" >"$scratch/cut.eispack"
expect 3 'cut.eispack' "$eis" serve split --model "$scratch/cut.eispack" --listen 127.0.0.1:0 --tls-cert "$scratch/a.crt" --tls-key "$scratch/a.key"

# servers of our own are not started over such a pack, and the one error names it
expect_one() { # RC PATTERN PACK
    expect "$1" "$2" "$eis" classify --engine split --model "$scratch/digits/client.eispart" --pack "$3" --input "$digits/samples/7.pgm"
    [ "$(grep -c "$2" "$scratch/err")" -eq 1 ] || fail "said more than once: $(cat "$scratch/err")"
}
expect_one 5 'bad.eispack' "$scratch/bad.eispack"
expect_one 3 'cut.eispack' "$scratch/cut.eispack"
expect_one 5 'parts/server.eispack is not the pack of this client part' "$scratch/parts/server.eispack"

# a part that cannot be written leaves no pack of another one behind, and nothing half-written
mkdir -p "$scratch/half/client.eispart"
expect 3 '' "$eis" partition --model "$digits" --out "$scratch/half"
[ "$(ls -A "$scratch/half")" = client.eispart ] || fail "left behind: $(ls -A "$scratch/half")"

# --unpack: integers that are the weights times one scale per row
expect 0 '' "$eis" partition --unpack "$scratch/digits/server.eispack"
python3 - "$scratch/out" "$digits/model.safetensors" <<'PY' || fail "--unpack does not give the weights back"
import json, struct, sys
raw = open(sys.argv[2], "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
entry = json.loads(raw[8:8 + size])["fc2.weight"]
assert entry["dtype"] == "F32" and entry["shape"] == [10, 64]
begin, end = entry["data_offsets"]
weights = struct.unpack("<%df" % (640), raw[8 + size + begin:8 + size + end])
lines = open(sys.argv[1]).read().splitlines()
at = next(i for i, line in enumerate(lines) if line.startswith("fc2 "))
assert lines[at] == "fc2 10 64", lines[at]
for r in range(10):
    ints = [int(word) for word in lines[at + 1 + r].split()]
    row = weights[64 * r:64 * r + 64]
    big = max(range(64), key=lambda i: abs(row[i]))
    scale = row[big] / ints[big]
    assert scale > 0 and max(abs(i * scale - w) for i, w in zip(ints, row)) < 1.0001 * scale
PY

# nothing is left behind where the place cannot be written
expect 3 '' "$eis" partition --model "$digits" --out /proc/nowhere
echo ok
