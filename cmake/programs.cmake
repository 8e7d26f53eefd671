# SPDX-License-Identifier: Apache-2.0
# The library that others link, the program `eis`, and `eis-server`, which can serve and cannot recover anything.

# Everything below the command line in one shared library; only EIS_API names are visible.
set(library_archives ${EIS_ARCHIVES})
list(REMOVE_ITEM library_archives eis_cli)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/empty.c CONTENT "typedef int eis_translation_unit_is_not_empty;\n")
add_library(eis_library SHARED ${PROJECT_BINARY_DIR}/empty.c)
set_target_properties(eis_library PROPERTIES OUTPUT_NAME eis VERSION ${EIS_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(eis_library PRIVATE eis_flags -Wl,--whole-archive ${library_archives} -Wl,--no-whole-archive)
target_link_options(eis_library PRIVATE -Wl,--as-needed -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/libeis.map)
set_target_properties(eis_library PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/libeis.map)
target_include_directories(eis_library INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
install(TARGETS eis_library LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/eis DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# The .pc file finds its prefix from where it lies, so a staged or moved tree works as it is.
file(RELATIVE_PATH EIS_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" EIS_PC_UP ${EIS_PC_UP})
configure_file(cmake/eis.pc.in ${PROJECT_BINARY_DIR}/eis.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/eis.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

function(eis_add_program name source)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE eis_flags ${EIS_ARCHIVES})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/main.c)
  eis_add_program(eis src/cli/main.c)
  # The benches are linked into `eis bench` alone: absent from the library and from eis-server.
  file(GLOB bench_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.c)
  target_sources(eis PRIVATE ${bench_sources})
  target_include_directories(eis PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(eis PRIVATE ${CMAKE_DL_LIBS} m)

  # Manual pages and completions come from the program's own tables of flags.
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/man/eis.1
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
    COMMAND eis help --man ${PROJECT_BINARY_DIR}/man DEPENDS eis VERBATIM)
  add_custom_target(man ALL DEPENDS ${PROJECT_BINARY_DIR}/man/eis.1)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
  install(FILES ${PROJECT_BINARY_DIR}/man/eis.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME eis)
  install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/eis)
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/server_main.c)
  eis_add_program(eis-server src/cli/server_main.c)
endif()
