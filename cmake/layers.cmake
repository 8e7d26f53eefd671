# SPDX-License-Identifier: Apache-2.0
# The folders of src/ as archives, each able to use what stands below it in src/LAYERS.

function(eis_read_layers out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/LAYERS)
  file(STRINGS ${PROJECT_SOURCE_DIR}/src/LAYERS lines REGEX "^[a-z]")
  set(modules "")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "<")
      string(REPLACE " " ";" row "${line}")
      list(APPEND modules ${row})
    endif()
  endforeach()
  string(REPLACE "/" "_" modules "${modules}")
  set(${out} ${modules} PARENT_SCOPE)
endfunction()

# Adds eis_<module> from src/<folder>/*.c; folders without sources (headers only) add nothing. The kernel's folders of
# one instruction set each are separate objects with flags of their own (cmake/kernels.cmake).
function(eis_add_module module below)
  string(REGEX REPLACE "^engine_" "engine/" folder ${module})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.c ${PROJECT_SOURCE_DIR}/src/${folder}/*.cc)
  if(module STREQUAL "kernel")
    file(GLOB generic CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernel/generic/*.c)
    list(APPEND sources ${generic})
  endif()
  if(module STREQUAL "cli")          # main.c and serve_main.c are the two programs
    list(FILTER sources EXCLUDE REGEX "/(main|server_main)\\.c$")
  endif()
  if(NOT sources)
    return()
  endif()
  add_library(eis_${module} STATIC ${sources})
  target_link_libraries(eis_${module} PRIVATE eis_flags PUBLIC ${below} ${EIS_EXTERNAL_${module}})
  if(module STREQUAL "kernel")
    eis_add_kernel_overlays(eis_kernel)
  endif()
endfunction()
