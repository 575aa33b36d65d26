# What `make install` leaves: bin/skep (installed by src/cli), lib/libskep.a with every folder's objects, include/skep,
# a CMake package (find_package(skep) gives skep::skep) and skep.pc. Tested by tests/install.
include(CMakePackageConfigHelpers)

get_property(folders GLOBAL PROPERTY SKEP_FOLDERS)
list(REMOVE_ITEM folders skep_cli)  # the tool, not the library
set(objects "")
foreach(folder IN LISTS folders)
  list(APPEND objects $<TARGET_OBJECTS:${folder}>)
endforeach()
if(NOT objects)
  return()
endif()

# One archive, so that users see one library and not the folders; it carries no compile options of ours.
add_library(skep STATIC ${objects})
set_target_properties(skep PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(skep INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(skep INTERFACE cxx_std_23)
target_link_libraries(skep INTERFACE fmt::fmt Threads::Threads PkgConfig::LIBBPF PkgConfig::PCAP)

set(SKEP_PKG_REQUIRES "fmt libbpf libpcap")
configure_file(${CMAKE_SOURCE_DIR}/cmake/skep.pc.in ${CMAKE_BINARY_DIR}/skep.pc @ONLY)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/skepConfig.cmake.in ${CMAKE_BINARY_DIR}/skepConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/skep)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/skepConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS skep EXPORT skepTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT skepTargets NAMESPACE skep:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/skep)
install(FILES ${CMAKE_BINARY_DIR}/skepConfig.cmake ${CMAKE_BINARY_DIR}/skepConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/skep)
install(FILES ${CMAKE_BINARY_DIR}/skep.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/skep ${CMAKE_BINARY_DIR}/include/skep
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
