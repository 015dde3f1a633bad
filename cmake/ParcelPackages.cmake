# What Parcel stands on. A missing package ends the configuration with the name of the Debian package to install.
# GLOBAL: in a project that has Parcel as a subproject, whoever links a floor needs these targets too.
function(parcel_missing what packages)
  message(FATAL_ERROR "Parcel needs ${what}, which was not found.\n"
                      "On Debian: apt-get install ${packages}\n"
                      "(or run jobs/local.sh, which installs what is missing)")
endfunction()

find_package(Threads GLOBAL)
if(NOT Threads_FOUND)
  parcel_missing("POSIX threads" "libc6-dev")
endif()

find_package(PkgConfig)
if(NOT PkgConfig_FOUND)
  parcel_missing("pkg-config" "pkg-config")
endif()

find_package(MPI GLOBAL COMPONENTS C)
if(NOT MPI_C_FOUND)
  parcel_missing("an MPI library for C" "libopenmpi-dev openmpi-bin")
endif()

set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 GLOBAL COMPONENTS C HL)
if(NOT HDF5_FOUND OR NOT HDF5_IS_PARALLEL)
  parcel_missing("parallel HDF5 with its high-level library" "libhdf5-openmpi-dev")
endif()

# The pkg-config module as target PkgConfig::<name in capitals>.
function(parcel_find_module module what package)
  string(TOUPPER ${module} name)
  pkg_check_modules(${name} IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${name}_FOUND)
    parcel_missing("${what}" ${package})
  endif()
endfunction()

parcel_find_module(hwloc "hwloc (CPU sets)" libhwloc-dev)
parcel_find_module(libxxhash "xxHash (checksums)" libxxhash-dev)
pkg_check_modules(JANSSON QUIET IMPORTED_TARGET GLOBAL jansson)
if(NOT JANSSON_FOUND)
  message(STATUS "Parcel: no reports and no --json, for want of jansson (Debian: libjansson-dev)")
endif()
pkg_check_modules(CURL QUIET IMPORTED_TARGET GLOBAL libcurl>=7.85)
if(NOT CURL_FOUND)
  message(STATUS "Parcel: no parfetch, for want of libcurl 7.85 (Debian: libcurl4-openssl-dev)")
endif()
if(PARCEL_TESTS)
  parcel_find_module(cmocka "cmocka (unit tests)" libcmocka-dev)
endif()
