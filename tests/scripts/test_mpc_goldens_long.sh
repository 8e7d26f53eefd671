#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole of test_mpc_goldens.sh: 180 tokens by two and three parties, 40 by four, both sequences of tiny-random-gpt2.
# (Token 186 of the text is a near tie and no longer certain.)
. "$(dirname "$0")/../support/cli.sh"
. "$root/tests/support/mpc_goldens.sh"
same_text 2 180 421
same_text 3 180 421
same_text 4 40 118
for parties in 2 3; do
    same_ids $parties 0,0,0,52 0,0,0,52,204,204,204,204,204,204
    same_ids $parties 0,0,195,731 0,0,195,731,731,114,114,114,114,114
done
echo ok
