# The extension of the Python package in client/python; its pyproject.toml drives this.
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module)
find_package(nanobind CONFIG REQUIRED)

file(GLOB python_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/client/python/src/*.cc)
# NOMINSIZE: optimised as the rest of the client is, not for size.
nanobind_add_module(incipit_python NB_STATIC NOMINSIZE ${python_sources})
target_link_libraries(incipit_python PRIVATE incipit_client)
# As system headers: ours are held to warnings that nanobind's do not meet.
target_include_directories(incipit_python SYSTEM PRIVATE ${NB_DIR}/include)
set_target_properties(incipit_python PROPERTIES OUTPUT_NAME _core)
install(TARGETS incipit_python LIBRARY DESTINATION incipit COMPONENT python)
