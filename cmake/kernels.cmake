# SPDX-License-Identifier: Apache-2.0
# Kernels of one instruction set: src/kernel/x86_64/<name>_<isa>.c, each an object with the flags of its set, so that
# no instruction leaks into portable code. The table of flags is the list of levels that select.c knows.
set(EIS_ISA_avx2 -mavx2 -mfma -mbmi2)
set(EIS_ISA_vaes -mavx2 -maes -mvaes)
set(EIS_ISA_avxvnni -mavx2 -mfma -mbmi2 -mavxvnni)
set(EIS_ISA_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mbmi2 -mfma)
set(EIS_ISA_avx512ifma ${EIS_ISA_avx512} -mavx512ifma)
set(EIS_ISA_avx512vnni ${EIS_ISA_avx512} -mavx512vnni -mavx512ifma -mavx512vbmi)
set(EIS_ISA_avx512vaes ${EIS_ISA_avx512} -maes -mvaes)

function(eis_add_kernel_overlays target)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    return()
  endif()
  foreach(isa avx2 vaes avxvnni avx512 avx512ifma avx512vnni avx512vaes)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/x86_64/*_${isa}.c)
    if(sources)
      add_library(eis_kernel_${isa} OBJECT ${sources})
      target_link_libraries(eis_kernel_${isa} PRIVATE eis_flags)
      target_compile_options(eis_kernel_${isa} PRIVATE ${EIS_ISA_${isa}})
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:eis_kernel_${isa}>)
      if("${PROJECT_SOURCE_DIR}/src/kernel/x86_64/overlay_${isa}.c" IN_LIST sources)   # fills its part of the table
        string(TOUPPER ${isa} upper)
        target_compile_definitions(${target} PRIVATE EIS_HAVE_KERNELS_${upper})
      endif()
    endif()
  endforeach()
endfunction()
