# Finds LibTorch: Torch_DIR or CMAKE_PREFIX_PATH first, then $LIBTORCH, then one installed
# system-wide, then the torch of the project's own .venv, then the torch of python3.
set(VITOME_TORCH_MINIMUM 2.4)
include(ImportTorch)

vitome_import_torch()
if(NOT TARGET torch)
  find_package(Torch ${VITOME_TORCH_MINIMUM} QUIET)
endif()
foreach(python "${PROJECT_SOURCE_DIR}/.venv/bin/python3" python3)
  if(NOT TARGET torch)
    execute_process(
      COMMAND "${python}" -c "import torch; print(torch.__path__[0])"
      OUTPUT_VARIABLE torch_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    vitome_import_torch("${torch_prefix}")
  endif()
endforeach()

if(NOT TARGET torch)
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
