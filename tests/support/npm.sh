# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests that run in node: installs the packages of tests/NAME by its lock file, or skips with a reason.
# Packages come from whichever registry this machine's npm uses; the lock files hold their digests and no addresses.

# Builds may run side by side and the tree may be read-only: tests and packages lie in the build directory.
npm_install() { # NAME; sets $work
    local log reason
    work=$build/npm/$1
    log=$work/npm.log
    command -v node > /dev/null || skip "node is not installed"
    command -v npm > /dev/null || skip "npm is not installed"
    [ "$(node -p 'process.versions.node.split(".")[0] >= 20 ? 1 : 0')" = 1 ] || skip "node is older than version 20"
    mkdir -p "$work" || exit 1
    exec 9> "$work/.lock"
    flock 9
    rm -f "$work"/*.cjs
    cp "$root/tests/$1"/{package.json,package-lock.json,.npmrc} "$work/" || exit 1
    find "$root/tests/$1" -maxdepth 1 \( -name '*.cjs' -o -name '*.yaml' \) -exec cp -t "$work" {} + || exit 1
    if ! cmp -s "$work/package-lock.json" "$work/node_modules/.installed"; then
        if ! (cd "$work" && timeout 600 npm ci --ignore-scripts) > "$log" 2>&1; then
            grep -Eq 'EINTEGRITY|EUSAGE|EJSONPARSE' "$log" && { cat "$log"; echo "FAIL: the lock file does not fit"; exit 1; }
            reason=$(grep -m1 -oE 'code [A-Z0-9_]+' "$log" || echo 'no reason given')
            skip "npm cannot fetch the packages of tests/$1: $reason"
        fi
        cp "$work/package-lock.json" "$work/node_modules/.installed"
    fi
    flock -u 9
}
