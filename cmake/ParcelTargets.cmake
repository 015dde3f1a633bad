# How everything of Parcel is compiled: one place for the language level, the warnings and the sanitizers.
function(parcel_compile_options target)
  target_compile_features(${target} PUBLIC c_std_11)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wstrict-prototypes -Wmissing-prototypes
                                           $<$<BOOL:${PARCEL_WERROR}>:-Werror>)
  if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    target_compile_options(${target} PRIVATE -Wshadow=local)
    if(PARCEL_MPI_IS_MPICH) # whose MPI_STATUSES_IGNORE gcc takes for an array without elements
      target_compile_options(${target} PRIVATE -Wno-stringop-overflow)
    endif()
  endif()
  if(PARCEL_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PARCEL_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${PARCEL_SANITIZE})
  endif()
endfunction()

# One floor of the house: the library libparcel_<name>, known as Parcel::<name>, with include/ as its public headers.
function(parcel_add_floor name)
  set(target parcel_${name})
  add_library(${target} ${ARGN})
  add_library(Parcel::${name} ALIAS ${target})
  parcel_compile_options(${target})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON VERSION ${PROJECT_VERSION}
                                             SOVERSION ${PROJECT_VERSION_MAJOR})
  set_property(TARGET ${target} APPEND PROPERTY INSTALL_RPATH "$ORIGIN")
  install(TARGETS ${target} EXPORT Parcel_${name}
          LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY include/parcel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
endfunction()

# Gives a floor the points at which tests can break it. Each has its own copy, since it is not of the public interface.
function(parcel_add_fault_points name)
  if(PARCEL_FAULTS)
    target_sources(parcel_${name} PRIVATE ${PROJECT_SOURCE_DIR}/core/fault.c)
    target_compile_definitions(parcel_${name} PRIVATE PARCEL_FAULTS)
  endif()
endfunction()

# A program that is installed and finds the floors beside itself (../lib), wherever the tree is moved.
function(parcel_add_program name)
  file(RELATIVE_PATH libdir ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  add_executable(${name} ${ARGN})
  parcel_compile_options(${name})
  set_property(TARGET ${name} APPEND PROPERTY INSTALL_RPATH "$ORIGIN/${libdir}")
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
