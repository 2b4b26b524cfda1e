# Whether several processes can work together: LibTorch's c10d with Gloo, whose headers LibTorch
# does not bring along (on Debian and Ubuntu they are in libgloo-dev). With a CUDA LibTorch also
# NCCL, if its headers and those of CUDA are there (VITOME_NCCL_HEADERS). Sets
# VITOME_GLOO_INCLUDE_DIR and VITOME_NCCL_INCLUDE_DIRS, or VITOME_NOT_DISTRIBUTED to the reason.
include(CheckCXXSourceCompiles)

set(VITOME_NOT_DISTRIBUTED "")
set(VITOME_NCCL_INCLUDE_DIRS "")
if(VITOME_DISTRIBUTED)
  find_path(VITOME_GLOO_INCLUDE_DIR gloo/rendezvous/store.h)
  mark_as_advanced(VITOME_GLOO_INCLUDE_DIR)
  # The name is all it takes: compiling the real header takes half a minute.
  set(CMAKE_REQUIRED_LIBRARIES "${TORCH_INSTALL_PREFIX}/lib/libtorch_cpu.so"
      "${TORCH_INSTALL_PREFIX}/lib/libc10.so" -Wl,--allow-shlib-undefined)
  check_cxx_source_compiles("
    namespace c10d { struct ProcessGroupGloo { ~ProcessGroupGloo(); }; }
    void destroy(c10d::ProcessGroupGloo* group) { group->~ProcessGroupGloo(); }
    int main(int argc, char**) { if (argc > 99) destroy(nullptr); }" VITOME_LIBTORCH_HAS_GLOO)
  unset(CMAKE_REQUIRED_LIBRARIES)
  if(NOT VITOME_LIBTORCH_HAS_GLOO)
    set(VITOME_NOT_DISTRIBUTED "its LibTorch has no Gloo")
  elseif(NOT VITOME_GLOO_INCLUDE_DIR)
    set(VITOME_NOT_DISTRIBUTED "the headers of Gloo were missing (Debian's libgloo-dev)")
  endif()
else()
  set(VITOME_NOT_DISTRIBUTED "VITOME_DISTRIBUTED was OFF")
endif()
if(VITOME_NOT_DISTRIBUTED)
  message(STATUS "Several processes: no, ${VITOME_NOT_DISTRIBUTED}")
  return()
endif()

if(NOT EXISTS "${TORCH_INSTALL_PREFIX}/lib/libtorch_cuda.so")
  message(STATUS "Several processes: with Gloo")
  return()
endif()
# The headers of CUDA and NCCL come from a toolkit or lie beside pip's torch, often only some of
# them, so that the real header has to be tried.
file(GLOB nvidia_folders "${TORCH_INSTALL_PREFIX}/../nvidia/*/include" "$ENV{CUDA_HOME}/include"
     /usr/local/cuda/include)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_REQUIRED_FLAGS -std=c++20)
set(CMAKE_REQUIRED_DEFINITIONS -DUSE_C10D_NCCL)
set(CMAKE_REQUIRED_INCLUDES "${TORCH_INSTALL_PREFIX}/include"
    "${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include" ${nvidia_folders})
check_cxx_source_compiles("#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>"
                          VITOME_NCCL_HEADERS)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_DEFINITIONS)
unset(CMAKE_REQUIRED_INCLUDES)
if(VITOME_NCCL_HEADERS)
  set(VITOME_NCCL_INCLUDE_DIRS ${nvidia_folders})
  message(STATUS "Several processes: with Gloo and NCCL")
else()
  message(STATUS "Several processes: with Gloo; headers of NCCL or CUDA are missing, so GPUs "
                 "exchange through the CPU")
endif()
