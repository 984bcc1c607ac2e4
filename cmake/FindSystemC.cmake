# Debian's SystemC has no CMake package. The library only links with the C++ standard it was built
# with (its API check symbol carries the standard), so a link test turns a mismatch into one sentence.
# Target: SystemC::systemc
find_path(SYSTEMC_INCLUDE_DIR systemc PATHS $ENV{SYSTEMC_HOME}/include)
find_library(SYSTEMC_LIBRARY systemc PATHS $ENV{SYSTEMC_HOME}/lib $ENV{SYSTEMC_HOME}/lib-linux64)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SystemC REQUIRED_VARS SYSTEMC_LIBRARY SYSTEMC_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install libsystemc-dev (tools/setup.sh does it) or set SYSTEMC_HOME")
if(SystemC_FOUND AND NOT TARGET SystemC::systemc)
  add_library(SystemC::systemc UNKNOWN IMPORTED)
  set_target_properties(SystemC::systemc PROPERTIES IMPORTED_LOCATION "${SYSTEMC_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SYSTEMC_INCLUDE_DIR}")
  include(CheckCXXSourceCompiles)
  set(CMAKE_REQUIRED_LIBRARIES SystemC::systemc Threads::Threads)
  set(CMAKE_REQUIRED_FLAGS "-std=c++${CMAKE_CXX_STANDARD}")
  check_cxx_source_compiles(
    "#include <systemc>\nint sc_main(int, char**) { sc_core::sc_start(); return 0; }" NPUSIM_SYSTEMC_LINKS)
  unset(CMAKE_REQUIRED_LIBRARIES)
  unset(CMAKE_REQUIRED_FLAGS)
  if(NOT NPUSIM_SYSTEMC_LINKS)
    message(FATAL_ERROR "SystemC at ${SYSTEMC_LIBRARY} does not link with C++${CMAKE_CXX_STANDARD}: it was "
                        "built for another C++ standard; build npusim and SystemC with the same one.")
  endif()
endif()
