# SPDX-License-Identifier: Apache-2.0
# The .proto files of spec/: messages in C by protoc-c, and what reflection gives out, the descriptor set by protoc. As a
# script (cmake -P) it writes the set as a C array; included, it adds all of them to eis_service. Nothing of it is kept.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${SET} hex HEX)
  string(LENGTH "${hex}" length)
  math(EXPR bytes "${length} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  file(WRITE ${OUT} "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by cmake/protobuf.cmake. */\n#include \"service/grpc_reflection.h\"\n\nconst uint8_t eis_grpc_descriptors[] = {${hex}};\nconst size_t eis_grpc_descriptors_bytes = ${bytes};\n")
  return()
endif()

find_program(EIS_PROTOC protoc REQUIRED)
find_program(EIS_PROTOC_C protoc-c REQUIRED)
find_path(EIS_PROTO_INCLUDE google/protobuf/descriptor.proto REQUIRED)
set(proto_out ${PROJECT_BINARY_DIR}/proto)
file(MAKE_DIRECTORY ${proto_out})
file(GLOB protos CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/spec/*.proto)

# Reflection under its older name, v1alpha, is the same file with another package line.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/spec/reflection.proto)
file(READ ${PROJECT_SOURCE_DIR}/spec/reflection.proto text)
string(REPLACE "package grpc.reflection.v1;" "package grpc.reflection.v1alpha;" older "${text}")
if(older STREQUAL text)
  message(FATAL_ERROR "spec/reflection.proto has another package than grpc.reflection.v1")
endif()
file(CONFIGURE OUTPUT ${proto_out}/reflection_v1alpha.proto CONTENT "${older}" @ONLY)
list(APPEND protos ${proto_out}/reflection_v1alpha.proto)

# Messages in C: those of v1 serve both, and nobody calls our Triple Service by these messages.
set(proto_sources "")
foreach(name coordinator mimir health reflection google/protobuf/descriptor)
  set(proto ${PROJECT_SOURCE_DIR}/spec/${name}.proto)
  if(name MATCHES "^google/")
    set(proto ${EIS_PROTO_INCLUDE}/${name}.proto)
  endif()
  add_custom_command(OUTPUT ${proto_out}/${name}.pb-c.c ${proto_out}/${name}.pb-c.h
    COMMAND ${EIS_PROTOC_C} -I${PROJECT_SOURCE_DIR}/spec -I${EIS_PROTO_INCLUDE} --c_out=${proto_out} ${proto}
    DEPENDS ${proto} VERBATIM)
  list(APPEND proto_sources ${proto_out}/${name}.pb-c.c)
endforeach()
add_custom_command(OUTPUT ${proto_out}/descriptors.c
  COMMAND ${EIS_PROTOC} -I${PROJECT_SOURCE_DIR}/spec -I${proto_out} -I${EIS_PROTO_INCLUDE} --include_imports
          --descriptor_set_out=${proto_out}/descriptors.bin ${protos}
  COMMAND ${CMAKE_COMMAND} -DSET=${proto_out}/descriptors.bin -DOUT=${proto_out}/descriptors.c
          -P ${PROJECT_SOURCE_DIR}/cmake/protobuf.cmake
  DEPENDS ${protos} ${PROJECT_SOURCE_DIR}/cmake/protobuf.cmake VERBATIM)
set_source_files_properties(${proto_sources} PROPERTIES COMPILE_OPTIONS -w)
target_sources(eis_service PRIVATE ${proto_sources} ${proto_out}/descriptors.c)
# As a system folder, so that what protoc-c writes is not held to our warnings.
target_include_directories(eis_service SYSTEM PRIVATE ${proto_out})
