# seckill_unit_test(NAME libraries...): tests/unit/NAME.c, a cmocka program, run by ctest with the label "unit".
function(seckill_unit_test name)
  add_executable(${name} ${name}.c)
  target_link_libraries(${name} PRIVATE ${ARGN} PkgConfig::CMOCKA)
  target_compile_definitions(${name} PRIVATE SECKILL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
