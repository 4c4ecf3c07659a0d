# loadtest/replay.
foreach(test histogram plan response verify)
  seckill_unit_test(test_replay_${test} seckill_replay_parts)
  target_link_libraries(test_replay_${test} PRIVATE m)
endforeach()
