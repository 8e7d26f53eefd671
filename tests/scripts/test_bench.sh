#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scripts and the README read what `eis bench --json` prints: one object with conditions and rows of fixed members, a
# ratio only where there is a peer, goals as numbers. Speed itself is not judged here.
set -eu
eis=${EIS_TEST_BUILD:?}/eis
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ ! -x "$eis" ]; then
    echo "skipped: the program is not built"
    exit 77
fi

check() {
    python3 - "$1" "$2" << 'PY'
import json, sys

text = open(sys.argv[1]).read()
report = json.loads(text)
assert set(report) == {"conditions", "rows"} and text.count("\n") == 1, "one object on one line"
assert all(isinstance(value, str) for value in report["conditions"].values())
rows = report["rows"]
assert rows and len({row["name"] for row in rows}) == len(rows), "every row has a name of its own"
for row in rows:
    assert {"name", "value", "unit"} <= set(row) <= {"name", "value", "unit", "peer", "ratio", "goal"}, row
    assert ("peer" in row) == ("ratio" in row), row
    assert all(isinstance(row[key], (int, float)) for key in ("value", "ratio", "goal") if key in row), row
    assert all(isinstance(row[key], str) for key in ("name", "unit", "peer") if key in row), row
wanted = sys.argv[2]
assert any(row.get("peer") == wanted for row in rows), f"no row is compared with {wanted}"
PY
}

"$eis" bench split --quick --quiet --only share --json > "$work/share.json"
check "$work/share.json" "memcpy of 32 KiB"
"$eis" bench split --quick --quiet --only call --json > /dev/null

# Times of another program take their place beside ours.
name="share alone 4096, k=2, P24"
echo "{\"peer\":\"other 1.0\",\"rows\":[{\"name\":\"$name\",\"value\":10,\"unit\":\"us\"}]}" > "$work/peer.json"
"$eis" bench split --quick --quiet --only share --json --peer "$work/peer.json" > "$work/peered.json"
check "$work/peered.json" "other 1.0"

# What is wrong is said before anything is measured.
expect() {
    local code=$1
    shift
    set +e
    timeout 20 "$eis" bench "$@" > "$work/out" 2> "$work/err"
    local got=$?
    set -e
    if [ $got -ne "$code" ] || [ -s "$work/out" ]; then
        echo "eis bench $*: exit code $got where $code belongs, or something on stdout"
        exit 1
    fi
}
expect 2
expect 2 unknown
expect 2 split --kernels no-such-level
expect 2 split --only no-such-group
expect 3 split --peer "$work/none.json"
echo '{"peer":"x","rows":[{"name":"y"}]}' > "$work/bad.json"
expect 3 split --peer "$work/bad.json"
echo "bench: the report has its form"
