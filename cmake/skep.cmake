# skep_folder(NAME [LINKS target...] [OPTIMIZED]): the library of src/NAME (every .cc that is not a test) and the
# test program of its *_test.cc files. LINKS is the folder's row of the layer table; OPTIMIZED is for the test program.
find_package(GTest REQUIRED)
include(GoogleTest)
find_package(fmt REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBBPF REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(PCAP REQUIRED IMPORTED_TARGET libpcap)

add_library(skep_options INTERFACE)
# Of fmt's headers every file sees the same form, whether it links the library or not.
target_compile_definitions(skep_options INTERFACE FMT_SHARED)
target_compile_options(skep_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic
                       -Wconversion -Wshadow -Wswitch -Werror -fno-strict-aliasing>)
target_include_directories(skep_options INTERFACE
  ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
# g++ 12 forgets which headers are the system's where they were parsed beforehand, and then warns about inlined parts of
# its own strings and vectors; the sanitizers and clang look for the same faults.
set(SKEP_NOT_WITH_PARSED_HEADERS stringop-overread stringop-overflow array-bounds restrict maybe-uninitialized)
list(TRANSFORM SKEP_NOT_WITH_PARSED_HEADERS PREPEND "-Wno-" OUTPUT_VARIABLE no_warnings)
target_compile_options(skep_options INTERFACE "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:${no_warnings}>")
if(SKEP_SANITIZE)
  target_compile_options(skep_options INTERFACE -fsanitize=${SKEP_SANITIZE} -fno-omit-frame-pointer -g1
                         -fno-sanitize-recover=all)
  target_link_options(skep_options INTERFACE -fsanitize=${SKEP_SANITIZE})
endif()
# g++ is the compiler whose warnings are errors; what clang builds is built to run.
target_compile_options(skep_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-w>)

# Headers that nearly every file reads, parsed once: the first library and the first test program own them, the others
# use theirs. Whoever compiles a file alone (clang-tidy, another compiler) sees its own includes.
set(SKEP_COMMON_HEADERS <algorithm> <array> <cerrno> <cstddef> <cstdint> <cstring> <expected> <memory> <optional> <span>
    <string> <string_view> <utility> <vector> <fmt/format.h>)
function(skep_common_headers target owner)
  if(SKEP_FUZZ)
    return()
  endif()
  if(target STREQUAL owner)
    target_precompile_headers(${target} PRIVATE ${SKEP_COMMON_HEADERS} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

function(skep_folder name)
  cmake_parse_arguments(arg "OPTIMIZED" "" "LINKS" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(skep_${target} STATIC ${sources})
    target_link_libraries(skep_${target} PUBLIC skep_options ${arg_LINKS})
    skep_common_headers(skep_${target} skep_base)
    set_property(GLOBAL APPEND PROPERTY SKEP_FOLDERS skep_${target})
  else()
    add_library(skep_${target} INTERFACE)
    target_link_libraries(skep_${target} INTERFACE skep_options ${arg_LINKS})
  endif()
  if(tests)
    set(optimized "")
    if(arg_OPTIMIZED)
      set(optimized OPTIMIZED)
    endif()
    skep_test(skep_${target}_test SOURCES ${tests} LINKS skep_${target} LABELS ${name} ${optimized})
  endif()
endfunction()

# skep_test(NAME SOURCES file... LINKS target... [LABELS label...] [PREFIX text] [LOCK name] [OPTIMIZED]): a GoogleTest
# program, each of its tests a ctest, whose name begins with PREFIX; only one with the same LOCK runs at a time. Tests wait for what they test: compiled without optimisation they
# are built in half the time. OPTIMIZED are those whose own inlined code does the work.
function(skep_test name)
  cmake_parse_arguments(arg "OPTIMIZED" "PREFIX;LOCK" "SOURCES;LINKS;LABELS" ${ARGN})
  if(SKEP_FUZZ)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest GTest::gtest_main)
  if(arg_OPTIMIZED)
    skep_common_headers(${name} ${name} <gtest/gtest.h>)
  else()
    target_compile_options(${name} PRIVATE -O0)
    skep_common_headers(${name} skep_base_test <gtest/gtest.h>)
  endif()
  target_compile_definitions(${name} PRIVATE SKEP_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SKEP_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  set(properties TIMEOUT 300 LABELS "${arg_LABELS}")
  if(arg_LOCK)
    list(APPEND properties RESOURCE_LOCK ${arg_LOCK})
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_PREFIX "${arg_PREFIX}"
                       PROPERTIES ${properties})
endfunction()

# What ThreadSanitizer is for: the folders with threads and shared memory, and no others, to keep its build short.
function(skep_tsan_tests)
  add_custom_target(tsan_tests)
  foreach(folder IN LISTS ARGN)
    if(TARGET skep_${folder}_test)
      add_dependencies(tsan_tests skep_${folder}_test)
    endif()
  endforeach()
endfunction()
