# What is installed beside the floors and the programs: the CMake package, the pkg-config files and the documents. All
# paths inside are relative to the files themselves, so that an installed tree may be moved.
include(CMakePackageConfigHelpers)
set(parcel_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Parcel)

# mpi.h offers C++ programs the bindings that MPI-3 removed, which would want a library of their own at link time.
set(parcel_no_mpicxx OMPI_SKIP_MPICXX=1 MPICH_SKIP_MPICXX=1)
target_compile_definitions(parcel_core INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${parcel_no_mpicxx}>")

# ---- find_package(Parcel COMPONENTS ...): one file of targets per floor, so that each may be had without those above

foreach(floor partition core io)
  install(EXPORT Parcel_${floor} FILE ParcelTargets-${floor}.cmake NAMESPACE Parcel:: DESTINATION ${parcel_cmake_dir})
endforeach()
get_target_property(parcel_is_static parcel_core TYPE)
string(COMPARE EQUAL ${parcel_is_static} STATIC_LIBRARY parcel_is_static)
set(parcel_hdf5_is_parallel OFF)
if(HDF5_IS_PARALLEL)
  set(parcel_hdf5_is_parallel ON)
endif()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/ParcelConfig.cmake.in ParcelConfig.cmake
                              INSTALL_DESTINATION ${parcel_cmake_dir}
                              NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(ParcelConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ParcelConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/ParcelConfigVersion.cmake
        DESTINATION ${parcel_cmake_dir})

# ---- pkg-config

# Library files as the linker's options: /usr/lib/libmpi.so becomes -L/usr/lib -lmpi.
function(parcel_link_flags out)
  set(flags)
  foreach(file ${ARGN})
    string(REGEX REPLACE "^(.*)/lib([^/]+)\\.(so|a|dylib)$" "-L\\1 -l\\2" flag "${file}")
    list(APPEND flags ${flag})
  endforeach()
  list(JOIN flags " " flags)
  set(${out} "${flags}" PARENT_SCOPE)
endfunction()

# parcel_pkg_config(core "what it is" REQUIRES ... CFLAGS ... LIBS ... LIBS_PRIVATE ...)
# Shared libraries know themselves what they are linked to, so their private needs are no business of who uses them.
function(parcel_pkg_config floor description)
  cmake_parse_arguments(arg "" "" "REQUIRES;CFLAGS;LIBS;LIBS_PRIVATE" ${ARGN})
  if(NOT parcel_is_static)
    set(arg_LIBS_PRIVATE)
  endif()
  foreach(field REQUIRES CFLAGS LIBS LIBS_PRIVATE)
    list(JOIN arg_${field} " " arg_${field})
  endforeach()
  file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" up "${up}")
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE libdir)
  cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE includedir)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/parcel.pc.in parcel-${floor}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/parcel-${floor}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# The packages below are named by their files, not by their pkg-config modules: those of MPI and HDF5 differ from system
# to system (ompi-c, mpich, mpi-c; hdf5, hdf5-openmpi), may belong to another MPI than the one used here and leave out
# HDF5's high-level library; and hwloc's wants libudev for static linking, which libhwloc-dev does not bring. A Parcel
# built by mpicc itself needs no MPI options, and names none: mpicc then is the compiler for its users as well.
list(TRANSFORM MPI_C_INCLUDE_DIRS PREPEND -I OUTPUT_VARIABLE mpi_cflags)
list(TRANSFORM parcel_no_mpicxx PREPEND -D OUTPUT_VARIABLE no_mpicxx_cflags)
parcel_link_flags(mpi_libs ${MPI_C_LINK_FLAGS} ${MPI_C_LIBRARIES})
get_target_property(hwloc_file PkgConfig::HWLOC INTERFACE_LINK_LIBRARIES)
get_target_property(hdf5_file hdf5::hdf5 LOCATION)
get_target_property(hdf5_hl_file hdf5::hdf5_hl LOCATION)
get_target_property(xxhash_file PkgConfig::LIBXXHASH INTERFACE_LINK_LIBRARIES)
parcel_link_flags(core_libs ${hwloc_file} ${CMAKE_THREAD_LIBS_INIT})
set(jansson_file)
if(JANSSON_FOUND)
  get_target_property(jansson_file PkgConfig::JANSSON INTERFACE_LINK_LIBRARIES)
endif()
set(codec_files)
foreach(package LIBDEFLATE ZLIB ZSTD)
  if(TARGET PkgConfig::${package})
    get_target_property(codec_file PkgConfig::${package} INTERFACE_LINK_LIBRARIES)
    list(APPEND codec_files ${codec_file})
  endif()
endforeach()
parcel_link_flags(io_libs ${hdf5_hl_file} ${hdf5_file} ${xxhash_file} ${jansson_file} ${codec_files} -lm)

parcel_pkg_config(partition "Parcel's pure arithmetic: ranges, parts, blocks")
parcel_pkg_config(core "Parcel: a range of work over every core of every node"
                  REQUIRES parcel-partition
                  CFLAGS ${mpi_cflags} ${MPI_C_COMPILE_OPTIONS} ${no_mpicxx_cflags} LIBS ${mpi_libs}
                  LIBS_PRIVATE ${core_libs})
parcel_pkg_config(io "Parcel with its results file: one HDF5 file, complete or absent"
                  REQUIRES parcel-core LIBS_PRIVATE ${io_libs})

# ---- documents, as far as there are any

set(parcel_doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc/parcel)
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${parcel_doc_dir} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${parcel_doc_dir} OPTIONAL)
