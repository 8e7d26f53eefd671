/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/aes.h"

#include "base/cpu.h"
#include "kernel/kernel.h"

const eis_aes128_kernel *eis_aes128_kernel_get(void)
{
#ifdef EIS_HAVE_KERNELS_VAES
    const eis_cpu *cpu = eis_cpu_get();

    if (cpu->vaes && cpu->avx2 && cpu->aesni && eis_kernels_get() != eis_kernels_level(0))
        return eis_aes128_kernel_vaes();
#endif
    return NULL;
}
