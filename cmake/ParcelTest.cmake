# How a test is registered. Every test has a timeout: a hang is the main way to fail.

# Which MPI there is: PARCEL_MPI is openmpi4 (or earlier), openmpi5 (or later), mpich or unknown.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES MPI::MPI_C)
set(is_major "int main(void) { int proof[OMPI_MAJOR_VERSION")
check_c_source_compiles("#include <mpi.h>\n${is_major} < 5 ? 1 : -1]; (void)proof; }" PARCEL_MPI_IS_OPENMPI4)
check_c_source_compiles("#include <mpi.h>\n${is_major} >= 5 ? 1 : -1]; (void)proof; }" PARCEL_MPI_IS_OPENMPI5)
set(CMAKE_REQUIRED_LIBRARIES)
set(PARCEL_MPI unknown)
foreach(mpi openmpi4 openmpi5 mpich)
  string(TOUPPER ${mpi} name)
  if(PARCEL_MPI_IS_${name})
    set(PARCEL_MPI ${mpi})
  endif()
endforeach()

# What every test's environment needs to run MPI here: as root, with more ranks than cores, and without looking for
# network hardware that a test never uses; a rank that waits leaves its core to other tests. An MPI library ignores the
# variables of others.
set(PARCEL_TEST_ENVIRONMENT
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
    OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_pml=ob1
    LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/sanitizers/lsan.supp:print_suppressions=0
    TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/sanitizers/tsan.supp:halt_on_error=1)
if(PARCEL_MPI STREQUAL openmpi4)
  list(APPEND PARCEL_TEST_ENVIRONMENT OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_vader_single_copy_mechanism=none)
else()
  list(APPEND PARCEL_TEST_ENVIRONMENT OMPI_MCA_btl=self,sm)
endif()

# MPICH spins without yielding, and ranks that share a core wait for the end of each other's time slices.
if(PARCEL_MPI STREQUAL mpich AND NOT PARCEL_SANITIZE)
  add_library(yielding MODULE ${PROJECT_SOURCE_DIR}/tests/platform/yielding.c)
  parcel_compile_options(yielding)
  set_target_properties(yielding PROPERTIES C_VISIBILITY_PRESET default)
  target_link_libraries(yielding PRIVATE ${CMAKE_DL_LIBS})
  list(APPEND PARCEL_TEST_ENVIRONMENT LD_PRELOAD=$<TARGET_FILE:yielding>)
endif()

# Sanitizers slow everything down, and most of all the freeing of what OMPIO allocates for each collective write.
if(PARCEL_SANITIZE)
  list(APPEND PARCEL_TEST_ENVIRONMENT OMPI_MCA_io_ompio_bytes_per_agg=65536 OMPI_MCA_io_ompio_cycle_buffer_size=65536)
endif()

# The timeout is for an idle machine; a busy one, or sanitizers, may need several times as long.
function(parcel_register_test name labels timeout)
  math(EXPR timeout "${timeout} * 3")
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout} SKIP_RETURN_CODE 77
                                          ENVIRONMENT "${PARCEL_TEST_ENVIRONMENT}")
endfunction()

# parcel_add_test(NAME sweep SOURCES test_sweep.c RANKS 1 2 3 8 LABELS mpi TIMEOUT 60)
# A cmocka program, run as it is, or by mpirun once for each number of ranks (tests sweep.1, sweep.2, ...). SOURCES may
# name sources of the library itself, for tests of what is internal to it.
function(parcel_add_test)
  cmake_parse_arguments(arg "" "NAME;TIMEOUT" "SOURCES;RANKS;LABELS" ${ARGN})
  set(target test_${arg_NAME})
  add_executable(${target} ${arg_SOURCES})
  parcel_compile_options(${target})
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET default) # a test's MPI_Isend comes before MPI's
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/partition ${PROJECT_SOURCE_DIR}/core
                                               ${PROJECT_SOURCE_DIR}/io)
  target_link_libraries(${target} PRIVATE Parcel::io PkgConfig::CMOCKA PkgConfig::HWLOC PkgConfig::LIBXXHASH
                                          Threads::Threads)
  if(NOT arg_RANKS)
    parcel_register_test(${arg_NAME} "${arg_LABELS}" ${arg_TIMEOUT} $<TARGET_FILE:${target}>)
  endif()
  foreach(ranks IN LISTS arg_RANKS)
    parcel_register_test(${arg_NAME}.${ranks} "${arg_LABELS}" ${arg_TIMEOUT}
                         ${MPIEXEC_EXECUTABLE} -n ${ranks} $<TARGET_FILE:${target}>)
  endforeach()
endfunction()

# parcel_add_script(NAME squares SCRIPT test_squares.py [ARGUMENTS ...] LABELS app TIMEOUT 300)
# A Python (unittest) or shell script. It finds in its environment PARCEL_BUILD (the build folder), PARCEL_SOURCE (the
# checkout), PARSQUARES, MPIRUN, PARCEL_HAS_FAULTS (1 or 0: whether PARCEL_FAULT is heard), and what
# tests/platform_facts.py tells; exit code 77 means skipped, with the reason in a line of its output that begins with
# "skipped: ".
function(parcel_add_script)
  cmake_parse_arguments(arg "" "NAME;SCRIPT;TIMEOUT" "ARGUMENTS;LABELS" ${ARGN})
  set(interpreter bash)
  if(arg_SCRIPT MATCHES "\\.py$")
    set(interpreter /usr/bin/python3) # Debian's, which sees Debian's h5py and numpy
  endif()
  parcel_register_test(${arg_NAME} "${arg_LABELS}" ${arg_TIMEOUT} ${interpreter}
                       ${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT} ${arg_ARGUMENTS})
  set_property(TEST ${arg_NAME} APPEND PROPERTY ENVIRONMENT PARCEL_BUILD=${PROJECT_BINARY_DIR}
               PARCEL_SOURCE=${PROJECT_SOURCE_DIR} PARSQUARES=$<TARGET_FILE:parsquares> MPIRUN=${MPIEXEC_EXECUTABLE}
               PARCEL_HAS_FAULTS=$<BOOL:${PARCEL_FAULTS}> PARCEL_MPI=${PARCEL_MPI} MPICC=${MPI_C_COMPILER}
               PARCEL_HDF5_IS_PARALLEL=$<BOOL:${HDF5_IS_PARALLEL}>
               PYTHONPATH=${PROJECT_SOURCE_DIR}/tests PYTHONDONTWRITEBYTECODE=1)
endfunction()
