# vitome_import_torch([<prefix>…]): defines the target `torch` from the first LibTorch among those
# that the user names (Torch_DIR, CMAKE_PREFIX_PATH, $LIBTORCH) and then the given folders. Sets
# Torch_DIR, Torch_VERSION and TORCH_INSTALL_PREFIX. Installed too, for users of the package.

# LibTorch's own package file, if that LibTorch has CUDA, stops with an error unless a whole CUDA
# toolkit is there too: most people have the one without the other from pip. Neither linking nor
# running needs the toolkit, so the target is made here. Not for releases before 2.7, of which some
# have another C++ ABI that only their package file knows.
function(vitome_import_torch_with_cuda prefix version)
  set(libraries "")
  foreach(name torch_cpu c10 torch_cuda c10_cuda)
    list(APPEND libraries "${prefix}/lib/lib${name}.so")
  endforeach()
  add_library(torch SHARED IMPORTED GLOBAL)
  set_target_properties(torch PROPERTIES
    IMPORTED_LOCATION "${prefix}/lib/libtorch.so"
    INTERFACE_INCLUDE_DIRECTORIES "${prefix}/include;${prefix}/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES "${libraries}"
    # CUDA's libraries lie where only LibTorch's own search path finds them.
    INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")
  set(Torch_DIR "${prefix}/share/cmake/Torch" CACHE PATH "Folder of TorchConfig.cmake" FORCE)
  set(Torch_VERSION "${version}" PARENT_SCOPE)
  set(TORCH_INSTALL_PREFIX "${prefix}" PARENT_SCOPE)
endfunction()

macro(vitome_import_torch)
  set(vitome_torch_prefixes "")
  if(Torch_DIR)
    list(APPEND vitome_torch_prefixes "${Torch_DIR}/../../..")
  endif()
  if(DEFINED ENV{Torch_DIR})
    list(APPEND vitome_torch_prefixes "$ENV{Torch_DIR}/../../..")
  endif()
  file(TO_CMAKE_PATH "$ENV{CMAKE_PREFIX_PATH}" vitome_environment_prefixes)
  list(APPEND vitome_torch_prefixes
       ${CMAKE_PREFIX_PATH} ${vitome_environment_prefixes} "$ENV{LIBTORCH}" ${ARGN})
  foreach(prefix IN LISTS vitome_torch_prefixes)
    if(EXISTS "${prefix}/Torch/TorchConfig.cmake")  # what torch.utils.cmake_prefix_path says
      set(prefix "${prefix}/../..")
    endif()
    if(NOT TARGET torch AND EXISTS "${prefix}/share/cmake/Torch/TorchConfig.cmake")
      get_filename_component(prefix "${prefix}" ABSOLUTE)
      include("${prefix}/share/cmake/Torch/TorchConfigVersion.cmake")
      if(EXISTS "${prefix}/lib/libtorch_cuda.so" AND PACKAGE_VERSION VERSION_GREATER_EQUAL 2.7)
        vitome_import_torch_with_cuda("${prefix}" "${PACKAGE_VERSION}")
      else()
        find_package(Torch QUIET PATHS "${prefix}" NO_DEFAULT_PATH)
      endif()
    endif()
  endforeach()
endmacro()
