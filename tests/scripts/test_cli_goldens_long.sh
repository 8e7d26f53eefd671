#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same as test_cli_goldens.sh over the whole published text of 200 tokens.
. "$(dirname "$0")/../support/cli.sh"
. "$root/tests/support/goldens.sh"
check_goldens 200 464
echo ok
