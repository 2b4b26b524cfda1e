# What every target of the project shares: language level, warnings, sanitizers and the
# precompiled header.
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# The target all_verify_interface_header_sets compiles each installed header alone.
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
# One code model for libraries and programs, so that all of them can share one precompiled header.
set(VITOME_COMPILE_OPTIONS -fPIC -Wall -Wextra)
# at::parallel_for is a template over an OpenMP region: compiled without OpenMP it has one thread.
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
  list(APPEND VITOME_COMPILE_OPTIONS ${OpenMP_CXX_FLAGS})
else()
  message(WARNING "The compiler has no OpenMP: ViToMe's own kernels will run on one thread")
endif()
if(VITOME_WERROR)
  list(APPEND VITOME_COMPILE_OPTIONS -Werror)
endif()
if(VITOME_SANITIZE)
  list(APPEND VITOME_COMPILE_OPTIONS -fsanitize=${VITOME_SANITIZE} -fno-omit-frame-pointer
       -fno-sanitize-recover=all)
endif()
if(VITOME_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "VITOME_FUZZ needs clang with libFuzzer: -DCMAKE_CXX_COMPILER=clang++")
  endif()
  list(APPEND VITOME_COMPILE_OPTIONS -fsanitize=fuzzer-no-link)
endif()

# vitome_target_defaults(<target> [PCH <target that has the precompiled header> | PCH none])
function(vitome_target_defaults target)
  cmake_parse_arguments(arg "" "PCH" "" ${ARGN})
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF DEFINE_SYMBOL ""
                        POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE ${VITOME_COMPILE_OPTIONS})
  if(OpenMP_CXX_FOUND)
    target_link_options(${target} PRIVATE ${OpenMP_CXX_FLAGS})
  endif()
  if(VITOME_SANITIZE)
    target_link_options(${target} PRIVATE -fsanitize=${VITOME_SANITIZE})
  endif()
  if(NOT arg_PCH)
    target_precompile_headers(${target} REUSE_FROM vitome_pch)
  elseif(NOT arg_PCH STREQUAL none)
    target_precompile_headers(${target} REUSE_FROM ${arg_PCH})
  endif()
endfunction()

# What a library's headers declare is exported, and nothing else: the library is compiled with
# everything hidden, and finds in front of each header one that lets it be seen. No declaration
# needs a macro, and the list of headers is the list of what users may link to.
set(VITOME_EXPORTED_DIR "${PROJECT_BINARY_DIR}/exported")
function(vitome_export_headers folder)
  foreach(header ${ARGN})
    file(CONFIGURE OUTPUT "${VITOME_EXPORTED_DIR}/${folder}/${header}" @ONLY CONTENT
"#pragma once
#pragma GCC visibility push(default)
#include_next <${folder}/${header}>
#pragma GCC visibility pop
")
  endforeach()
endfunction()

# vitome_library(<name> [NO_TORCH] SOURCES … HEADERS … [EXPORTS …] [LINK …] [LINK_PRIVATE …]): the
# shared library vitome_<name>, known as vitome::<name> here and to users of the installed package.
# HEADERS are installed; what EXPORTS declare is for the project's other libraries. Tests link
# vitome_<name>_internals instead, the same object files with all that is in them.
function(vitome_library name)
  cmake_parse_arguments(arg "NO_TORCH" "" "SOURCES;HEADERS;EXPORTS;LINK;LINK_PRIVATE" ${ARGN})
  set(target vitome_${name})
  set(objects ${target}_objects)
  vitome_export_headers(${name} ${arg_HEADERS} ${arg_EXPORTS})
  add_library(${objects} OBJECT ${arg_SOURCES})
  if(arg_NO_TORCH)
    vitome_target_defaults(${objects} PCH none)
  else()
    vitome_target_defaults(${objects})
  endif()
  target_include_directories(${objects} BEFORE PRIVATE "${VITOME_EXPORTED_DIR}")
  target_include_directories(${objects} PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${objects} PRIVATE ${arg_LINK} ${arg_LINK_PRIVATE})

  # Shared, because a static library drops the operator registrations nobody refers to.
  add_library(${target} SHARED $<TARGET_OBJECTS:${objects}>)
  add_library(vitome::${name} ALIAS ${target})
  vitome_target_defaults(${target} PCH none)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} LINKER_LANGUAGE CXX
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_sources(${target} PUBLIC
    FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${arg_HEADERS})
  target_link_libraries(${target} PUBLIC ${arg_LINK} PRIVATE ${arg_LINK_PRIVATE})
  set_property(GLOBAL APPEND PROPERTY VITOME_LIBRARIES ${target})

  set(internals ${arg_LINK} ${arg_LINK_PRIVATE})
  list(TRANSFORM internals REPLACE "^vitome::(.+)$" "vitome_\\1_internals")
  add_library(${target}_internals INTERFACE)
  target_sources(${target}_internals INTERFACE $<TARGET_OBJECTS:${objects}>)
  target_include_directories(${target}_internals INTERFACE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target}_internals INTERFACE ${internals})

  if(VITOME_INSTALL)
    install(TARGETS ${target} EXPORT vitomeTargets
            LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
            FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  endif()
endfunction()

# LibTorch's classes are seen from outside, too: ours derive from them.
set(VITOME_PCH_HEADERS
  "${CMAKE_CURRENT_LIST_DIR}/pch_begin.h" <algorithm> <array> <cstdint> <filesystem> <functional> <map> <memory> <optional> <string>
  <string_view> <vector> <ATen/ATen.h> <torch/nn/module.h> <torch/nn/pimpl.h> <torch/types.h>
  "${CMAKE_CURRENT_LIST_DIR}/pch_end.h")
add_library(vitome_pch OBJECT "${CMAKE_CURRENT_LIST_DIR}/pch.cpp")
vitome_target_defaults(vitome_pch PCH none)
target_link_libraries(vitome_pch PRIVATE torch)
target_precompile_headers(vitome_pch PRIVATE ${VITOME_PCH_HEADERS})
