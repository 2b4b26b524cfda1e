# What every target of the project shares: language level, warnings, sanitizers and the
# precompiled header.
set(CMAKE_CXX_VISIBILITY_PRESET default)
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

# vitome_library(<name> SOURCES … HEADERS … [LINK …] [LINK_PRIVATE …]): the shared library
# vitome_<name>, known as vitome::<name> here and to users of the installed package.
function(vitome_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;LINK;LINK_PRIVATE" ${ARGN})
  set(target vitome_${name})
  # Shared, because a static library drops the operator registrations nobody refers to.
  add_library(${target} SHARED ${arg_SOURCES})
  add_library(vitome::${name} ALIAS ${target})
  vitome_target_defaults(${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name}
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_include_directories(${target} PUBLIC
    "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} PUBLIC ${arg_LINK} PRIVATE ${arg_LINK_PRIVATE})
  if(VITOME_INSTALL)
    foreach(header ${arg_HEADERS})
      get_filename_component(folder "${name}/${header}" DIRECTORY)
      install(FILES "${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/${folder}")
    endforeach()
    install(TARGETS ${target} EXPORT vitomeTargets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  endif()
endfunction()

set(VITOME_PCH_HEADERS
  <algorithm> <array> <cstdint> <filesystem> <functional> <map> <memory> <optional> <string>
  <string_view> <vector> <ATen/ATen.h> <torch/nn/module.h> <torch/nn/pimpl.h> <torch/types.h>)
add_library(vitome_pch OBJECT "${CMAKE_CURRENT_LIST_DIR}/pch.cpp")
vitome_target_defaults(vitome_pch PCH none)
target_link_libraries(vitome_pch PRIVATE torch)
target_precompile_headers(vitome_pch PRIVATE ${VITOME_PCH_HEADERS})
