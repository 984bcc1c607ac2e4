# Flags that every target of the project shares.
option(NPUSIM_BUILD_TESTS "Build the tests" ON)
option(NPUSIM_WARNINGS_AS_ERRORS "Treat compiler warnings as errors" OFF)
set(NPUSIM_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")
option(NPUSIM_COVERAGE "Measure line coverage" OFF)
option(NPUSIM_FUZZ "Build the libFuzzer targets (clang)" OFF)

set(CMAKE_CXX_STANDARD 17)  # Debian's SystemC is a C++17 library
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(NPUSIM_CCACHE ccache)
if(NPUSIM_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${NPUSIM_CCACHE}")
endif()

add_library(npusim_flags INTERFACE)
target_include_directories(npusim_flags INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>"
                                                  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/npusim>")
# Contraction would fuse a*b+c where the target has FMA and change bits from machine to machine.
# None of these flags reaches those who use an installed library.
target_compile_features(npusim_flags INTERFACE cxx_std_17)
target_compile_options(npusim_flags INTERFACE
                       $<BUILD_INTERFACE:-ffp-contract=off;-Wall;-Wextra;-Wpedantic;-Wconversion;-Wshadow>)
if(NPUSIM_WARNINGS_AS_ERRORS)
  target_compile_options(npusim_flags INTERFACE $<BUILD_INTERFACE:-Werror>)
endif()
if(NPUSIM_SANITIZE)
  target_compile_options(npusim_flags INTERFACE
                         "$<BUILD_INTERFACE:-fsanitize=${NPUSIM_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  target_link_options(npusim_flags INTERFACE "$<BUILD_INTERFACE:-fsanitize=${NPUSIM_SANITIZE}>")
  # GCC sees false ones in instrumented standard headers (<regex>); plain builds keep the warning.
  target_compile_options(npusim_flags INTERFACE $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>>)
endif()
if(NPUSIM_FUZZ)
  target_compile_options(npusim_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(npusim_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(NPUSIM_COVERAGE)
  target_compile_options(npusim_flags INTERFACE $<BUILD_INTERFACE:--coverage>)
  target_link_options(npusim_flags INTERFACE $<BUILD_INTERFACE:--coverage>)
endif()

# npusim_library(NAME SOURCES ... LINK ... PRIVATE_LINK ...): one folder's static library.
function(npusim_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(npusim_${name} STATIC ${ARG_SOURCES})
  add_library(npusim::${name} ALIAS npusim_${name})
  target_link_libraries(npusim_${name} PUBLIC npusim_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE_LINK})
endfunction()
