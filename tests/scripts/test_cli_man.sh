#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A flag without a manual page is a flag that nobody finds: every command has a page, every page every flag of --help.
. "$(dirname "$0")/../support/cli.sh"
mkdir "$scratch/man"
expect 0 '' "$eis" help --man "$scratch/man"
[ ! -s "$scratch/out" ] || fail "it prints"
for command in generate classify infer conform partition plan ca audit bench demo 'serve split' 'serve api' 'serve party' 'serve triples' 'serve coordinator'; do
    page=$scratch/man/eis-${command// /-}.1
    [ -s "$page" ] || fail "no page for $command"
    # shellcheck disable=SC2086
    "$eis" $command --help >"$scratch/help" 2>&1
    grep -oE '^ +(-., +)?--[a-z-]+' "$scratch/help" | grep -oE '\-\-[a-z-]+' | grep -vE -- '--(help|usage|version)$' >"$scratch/flags"
    [ -s "$scratch/flags" ] || fail "$command --help lists no flags"
    while read -r flag; do
        grep -qF -- "${flag//-/\\-}" "$page" || fail "$page lacks $flag"
        grep -qF -- "$flag" "$scratch/man/eis.bash" || fail "no completion for $flag"
    done <"$scratch/flags"
done
[ -s "$scratch/man/eis.1" ] || fail "no main page"
bash -n "$scratch/man/eis.bash" || fail "the completions do not parse"
if command -v man >/dev/null && command -v groff >/dev/null; then
    for page in "$scratch"/man/*.1; do
        said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 >/dev/null)
        [ -z "$said" ] || fail "$page: $said"
    done
fi
# shellcheck disable=SC1090
(. "$scratch/man/eis.bash"; COMP_WORDS=(eis gen) COMP_CWORD=1; _eis; [ "${COMPREPLY[*]}" = generate ]) || fail "completion of a command"
expect 3 '' "$eis" help --man "$scratch/nowhere"
echo ok
