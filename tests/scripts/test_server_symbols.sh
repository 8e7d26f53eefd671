#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever runs eis-server should be able to see that it can neither put shares together nor decrypt: nothing that
# recovers, combines, checks, decrypts or knows a secret key may be linked into it. The same search must find those names in eis, or it would find nothing anywhere.
set -u
build=${EIS_TEST_BUILD:?}
[ -x "$build/eis-server" ] || { echo "SKIP: there is no $build/eis-server"; exit 77; }
command -v nm > /dev/null || { echo "SKIP: no nm"; exit 77; }

forbidden='^(eis_split_(recover|verifier|verify|protect|encode)|eis_share_(combine|split)|eis_shamir_(split|combine|recover)|eis_freivalds|eis_split_(client|session)_|eis_split_masks_open|eis_mask_store|eis_ckks_(decrypt|encrypt|secret_|zero_encrypt|public_key_generate|relin_key_generate|galois_keys_generate)|eis_he_(client|protect|recover|remote|interactive_run|key_file|link))'
names() { nm --defined-only "$1" | awk '$2 ~ /[tTwW]/ { print $3 }' | grep -E "$forbidden"; }

if found=$(names "$build/eis-server"); then
    echo "FAIL: eis-server links what recovers or hides: $found"
    exit 1
fi
if [ -x "$build/eis" ] && ! names "$build/eis" > /dev/null; then
    echo "FAIL: the names that are looked for are not in eis either; they must have changed"
    exit 1
fi
echo ok
