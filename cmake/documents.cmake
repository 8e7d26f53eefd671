# SPDX-License-Identifier: Apache-2.0
# The files of spec/ as C arrays, for servers that give them out. As a script (cmake -P) it writes the C file; included, it
# adds that to eis_service.
if(CMAKE_SCRIPT_MODE_FILE)
  file(GLOB names RELATIVE ${SPEC} ${SPEC}/openapi.yaml ${SPEC}/openapi.json ${SPEC}/schemas/*.json)
  list(SORT names)
  set(arrays "")
  set(rows "")
  set(count 0)
  foreach(name IN LISTS names)
    file(READ ${SPEC}/${name} hex HEX)
    string(LENGTH "${hex}" length)
    math(EXPR bytes "${length} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    string(APPEND arrays "static const uint8_t document_${count}[] = {${hex}0};\n")
    string(APPEND rows "    {\"${name}\", {document_${count}, ${bytes}}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  file(WRITE ${OUT}.new "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by cmake/documents.cmake. */\n#include \"service/he_documents.h\"\n\n${arrays}\nconst eis_he_document eis_he_documents[] = {\n${rows}    {NULL, {NULL, 0}},\n};\n\nconst size_t eis_he_document_count = ${count};\n")
  file(COPY_FILE ${OUT}.new ${OUT} ONLY_IF_DIFFERENT)
  return()
endif()

file(GLOB documents CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/spec/openapi.yaml ${PROJECT_SOURCE_DIR}/spec/openapi.json
     ${PROJECT_SOURCE_DIR}/spec/schemas/*.json)
add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/he_documents.c
  COMMAND ${CMAKE_COMMAND} -DSPEC=${PROJECT_SOURCE_DIR}/spec -DOUT=${PROJECT_BINARY_DIR}/he_documents.c
          -P ${PROJECT_SOURCE_DIR}/cmake/documents.cmake
  DEPENDS ${documents} ${PROJECT_SOURCE_DIR}/cmake/documents.cmake VERBATIM)
target_sources(eis_service PRIVATE ${PROJECT_BINARY_DIR}/he_documents.c)
