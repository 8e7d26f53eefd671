#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A private text that is not the plaintext text is a wrong answer: the published greedy texts, by every way there is.
# The first 40 tokens are the first 118 bytes; test_cli_goldens_long.sh takes all 200.
. "$(dirname "$0")/../support/cli.sh"
. "$root/tests/support/goldens.sh"
check_goldens 40 118
echo ok
