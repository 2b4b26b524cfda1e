# cmake --install: libraries, headers, the program, the shipped models, and the package that
# find_package(vitome CONFIG) reads. Everything is relative to the prefix, which may be moved.
include(CMakePackageConfigHelpers)

set(vitome_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/vitome")
file(RELATIVE_PATH vitome_bin_to_lib
     "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")

# LibTorch stays where it is; an application that brings another copy loads that one first.
get_property(vitome_libraries GLOBAL PROPERTY VITOME_LIBRARIES)
set_target_properties(${vitome_libraries} PROPERTIES
  INSTALL_RPATH "$ORIGIN;${TORCH_INSTALL_PREFIX}/lib")
if(TARGET vitome_app)
  set_target_properties(vitome_app PROPERTIES
    INSTALL_RPATH "$ORIGIN/${vitome_bin_to_lib};${TORCH_INSTALL_PREFIX}/lib")
  install(TARGETS vitome_app RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/models" DESTINATION "${CMAKE_INSTALL_DATADIR}/vitome")
endif()

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/vitomeConfig.cmake.in" "${PROJECT_BINARY_DIR}/vitomeConfig.cmake"
  INSTALL_DESTINATION "${vitome_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/vitomeConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/vitomeConfig.cmake"
              "${PROJECT_BINARY_DIR}/vitomeConfigVersion.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/ImportTorch.cmake"
        DESTINATION "${vitome_package_dir}")
install(EXPORT vitomeTargets NAMESPACE vitome:: DESTINATION "${vitome_package_dir}")
if(TARGET vitome_opencv)
  install(EXPORT vitomeOpencvTargets NAMESPACE vitome:: DESTINATION "${vitome_package_dir}")
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
