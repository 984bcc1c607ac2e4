# Installs the component precision of BUILD into a fresh prefix and builds and runs a project that
# knows nothing but that prefix.
file(REMOVE_RECURSE "${WORK}")
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run("${CMAKE_COMMAND}" --install "${BUILD}" --component precision --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${SOURCE}/consumer" -B "${WORK}/build" -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix" "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_CXX_FLAGS=${FLAGS}")
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer")
file(GLOB_RECURSE exports "${WORK}/prefix/*npusim-precision.cmake")
file(READ "${exports}" exported)
if(exported MATCHES "Werror|ffp-contract|${BUILD}")
  message(FATAL_ERROR "flags or paths of our own build leak to those who use the library")
endif()
