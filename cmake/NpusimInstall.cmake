# What others build against: headers, static library and package file of precision/, which depends on
# nothing of the rest. `cmake --install BUILD --component precision` installs only that.
include(CMakePackageConfigHelpers)

set(npusim_package "${CMAKE_INSTALL_LIBDIR}/cmake/npusim")
set_target_properties(npusim_precision PROPERTIES EXPORT_NAME precision)
set_target_properties(npusim_flags PROPERTIES EXPORT_NAME precision_requirements)
install(TARGETS npusim_precision npusim_flags EXPORT npusim-precision
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT precision)
install(EXPORT npusim-precision NAMESPACE npusim:: DESTINATION ${npusim_package} COMPONENT precision)
install(DIRECTORY precision/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/npusim/precision COMPONENT precision
        FILES_MATCHING PATTERN "*.h" PATTERN kernels EXCLUDE)

configure_package_config_file(cmake/npusimConfig.cmake.in npusimConfig.cmake
                              INSTALL_DESTINATION ${npusim_package})
write_basic_package_version_file(npusimConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/npusimConfig.cmake" "${PROJECT_BINARY_DIR}/npusimConfigVersion.cmake"
        DESTINATION ${npusim_package} COMPONENT precision)
