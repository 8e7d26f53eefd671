#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same as test_mnist.sh for all 10,000 images.
. "$(dirname "$0")/../support/mnist.sh"
check_all 10000
