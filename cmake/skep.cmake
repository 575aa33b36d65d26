# skep_folder(NAME [LINKS target...]): the library of src/NAME (every .cc that is not a test) and the
# test program of its *_test.cc files. LINKS is the folder's row of the layer table.
find_package(GTest REQUIRED)
include(GoogleTest)

add_library(skep_options INTERFACE)
target_compile_options(skep_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic
                       -Wconversion -Wshadow -Wswitch -Werror -fno-strict-aliasing>)
target_include_directories(skep_options INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>)
if(SKEP_SANITIZE)
  target_compile_options(skep_options INTERFACE -fsanitize=${SKEP_SANITIZE} -fno-omit-frame-pointer -g1
                         -fno-sanitize-recover=all)
  target_link_options(skep_options INTERFACE -fsanitize=${SKEP_SANITIZE})
endif()

function(skep_folder name)
  cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
  string(REPLACE "/" "_" target ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(skep_${target} STATIC ${sources})
    target_link_libraries(skep_${target} PUBLIC skep_options ${arg_LINKS})
  else()
    add_library(skep_${target} INTERFACE)
    target_link_libraries(skep_${target} INTERFACE skep_options ${arg_LINKS})
  endif()
  if(tests)
    skep_test(skep_${target}_test SOURCES ${tests} LINKS skep_${target})
  endif()
endfunction()

# skep_test(NAME SOURCES file... LINKS target... [LABELS label...]): a GoogleTest program, each of its tests a ctest.
function(skep_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE SKEP_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SKEP_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 LABELS "${arg_LABELS}")
endfunction()
