# Finds LibTorch: Torch_DIR or CMAKE_PREFIX_PATH first, then $LIBTORCH, then the torch of the
# project's own .venv, then the torch of python3.
set(VITOME_TORCH_MINIMUM 2.4)

find_package(Torch QUIET)
if(NOT Torch_FOUND AND DEFINED ENV{LIBTORCH})
  find_package(Torch QUIET PATHS "$ENV{LIBTORCH}" NO_DEFAULT_PATH)
endif()
foreach(python "${PROJECT_SOURCE_DIR}/.venv/bin/python3" python3)
  if(NOT Torch_FOUND)
    execute_process(
      COMMAND "${python}" -c "import torch; print(torch.utils.cmake_prefix_path)"
      OUTPUT_VARIABLE torch_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(torch_prefix)
      find_package(Torch QUIET PATHS "${torch_prefix}" NO_DEFAULT_PATH)
    endif()
  endif()
endforeach()

if(NOT Torch_FOUND)
  message(FATAL_ERROR
    "ViToMe needs LibTorch ${VITOME_TORCH_MINIMUM} or newer and found none. Any one of these helps:\n"
    "  scripts/setup                           brings everything, LibTorch too\n"
    "  python3 -m pip install torch            the LibTorch inside it is found by itself\n"
    "  export LIBTORCH=/path/to/libtorch       an unpacked LibTorch from pytorch.org\n"
    "  cmake -DCMAKE_PREFIX_PATH=/path/to/libtorch …")
endif()
if(Torch_VERSION AND Torch_VERSION VERSION_LESS VITOME_TORCH_MINIMUM)
  message(FATAL_ERROR
    "ViToMe needs LibTorch ${VITOME_TORCH_MINIMUM} or newer, but ${Torch_DIR} is ${Torch_VERSION}. "
    "Point -DTorch_DIR or $LIBTORCH at a newer one.")
endif()
message(STATUS "LibTorch ${Torch_VERSION}: ${Torch_DIR}")
