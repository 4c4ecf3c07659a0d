# common/trace.
seckill_unit_test(test_trace seckill_trace)
target_link_libraries(test_trace PRIVATE PkgConfig::ZSTD)
