/* SPDX-License-Identifier: Apache-2.0 */
/* What include/eis/eis.h declares itself: the version, and the switch for the whole process. */
#include "eis/eis.h"

#include "kernel/kernel.h"

const char *eis_version(void) { return EIS_VERSION_TEXT; }

eis_status eis_use_kernels(const char *level) { return eis_kernels_use(level); }
