#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# If a private answer differed from the plain one, a hospital would get another diagnosis for hiding its data.
. "$(dirname "$0")/../support/mnist.sh"
check_all 500
