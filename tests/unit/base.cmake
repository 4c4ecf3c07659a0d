# common/base, the settings table, and the lint of the layers.
foreach(test number clock buffer file log signals slab notify config config_print)
  seckill_unit_test(test_${test} seckill_base)
endforeach()
seckill_unit_test(test_job_thread seckill_base)
target_link_libraries(test_signals PRIVATE Threads::Threads)
target_link_libraries(test_job_thread PRIVATE Threads::Threads)

# The programs that test_program runs.
add_executable(tiny_program tiny_program.c)
target_link_libraries(tiny_program PRIVATE seckill_base)
add_executable(tiny_program_with_arguments tiny_program.c)
target_link_libraries(tiny_program_with_arguments PRIVATE seckill_base)
target_compile_definitions(tiny_program_with_arguments PRIVATE TAKES_ARGUMENTS)

seckill_unit_test(test_program seckill_base)
add_dependencies(test_program tiny_program tiny_program_with_arguments)
target_compile_definitions(test_program PRIVATE
  TINY_PROGRAM="$<TARGET_FILE:tiny_program>"
  TINY_PROGRAM_WITH_ARGUMENTS="$<TARGET_FILE:tiny_program_with_arguments>")

# One program with fault points and one without, whatever SECKILL_FAULTS says of the others: each has its own copy of
# what the option changes.
add_executable(faulty_program faulty_program.c ${PROJECT_SOURCE_DIR}/common/base/program.c
               ${PROJECT_SOURCE_DIR}/common/base/fault.c)
target_compile_options(faulty_program PRIVATE -USECKILL_FAULTS -DSECKILL_FAULTS)
add_executable(pointless_program faulty_program.c ${PROJECT_SOURCE_DIR}/common/base/program.c)
target_compile_options(pointless_program PRIVATE -USECKILL_FAULTS)
target_link_libraries(faulty_program PRIVATE seckill_base)
target_link_libraries(pointless_program PRIVATE seckill_base)

seckill_unit_test(test_fault seckill_base)
add_dependencies(test_fault faulty_program pointless_program)
target_compile_definitions(test_fault PRIVATE
  FAULTY_PROGRAM="$<TARGET_FILE:faulty_program>" POINTLESS_PROGRAM="$<TARGET_FILE:pointless_program>")

seckill_unit_test(test_settings seckill_pipeline)

add_test(NAME lint_includes COMMAND ${PROJECT_SOURCE_DIR}/tests/lint_includes.sh ${PROJECT_SOURCE_DIR})
add_test(NAME lint_includes_finds_faults COMMAND ${PROJECT_SOURCE_DIR}/tests/lint_includes_test.sh)
set_tests_properties(lint_includes lint_includes_finds_faults PROPERTIES LABELS lint)
