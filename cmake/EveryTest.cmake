# Configuring fails when a test file below tests/ belongs to no target and is not known to be left
# out: nothing else would notice that a test is no longer built.

# vitome_left_out(<reason> <file or folder>…): this configuration does not build these tests.
function(vitome_left_out reason)
  foreach(name IN LISTS ARGN)
    get_filename_component(path "${name}" ABSOLUTE)
    file(GLOB_RECURSE inside "${path}/*_test.cpp" "${path}/*_test.py")
    if(NOT IS_DIRECTORY "${path}")
      set(inside "${path}")
    endif()
    set_property(GLOBAL APPEND PROPERTY VITOME_KNOWN_TESTS ${inside})
    message(STATUS "Tests left out: ${name}, ${reason}")
  endforeach()
endfunction()

# vitome_known_test(<file>): a test that runs without being a source file of a target.
function(vitome_known_test file)
  get_filename_component(path "${file}" ABSOLUTE)
  set_property(GLOBAL APPEND PROPERTY VITOME_KNOWN_TESTS "${path}")
endfunction()

# Sets `result` to the source files of all targets of `folder` and the folders below it.
function(vitome_sources_below folder result)
  set(sources "")
  get_property(targets DIRECTORY "${folder}" PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(files ${target} SOURCES)
    get_target_property(place ${target} SOURCE_DIR)
    foreach(file IN LISTS files)
      get_filename_component(path "${file}" ABSOLUTE BASE_DIR "${place}")
      list(APPEND sources "${path}")
    endforeach()
  endforeach()
  get_property(folders DIRECTORY "${folder}" PROPERTY SUBDIRECTORIES)
  foreach(inner IN LISTS folders)
    vitome_sources_below("${inner}" more)
    list(APPEND sources ${more})
  endforeach()
  set(${result} "${sources}" PARENT_SCOPE)
endfunction()

# To be called after all tests were added.
function(vitome_check_every_test_runs)
  # With CONFIGURE_DEPENDS a new file is noticed by the next build.
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS
       "${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp" "${CMAKE_CURRENT_SOURCE_DIR}/*_test.py")
  vitome_sources_below("${CMAKE_CURRENT_SOURCE_DIR}" sources)
  get_property(known GLOBAL PROPERTY VITOME_KNOWN_TESTS)
  list(REMOVE_ITEM tests ${sources} ${known})
  if(tests)
    list(JOIN tests "\n  " text)
    message(FATAL_ERROR
      "These tests belong to no target, so that nobody would run them:\n  ${text}\n"
      "Add them to vitome_test() in the CMakeLists.txt beside them, or to vitome_left_out() where "
      "an option leaves them out.")
  endif()
endfunction()
