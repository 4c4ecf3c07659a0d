# services/notification.
foreach(name test_templates test_sink_file test_notify_buyer test_notify_again test_prepared_messages)
  seckill_unit_test(${name} seckill_notification_parts PkgConfig::JANSSON)
endforeach()
seckill_unit_test(test_notification_schema seckill_notification_parts)
seckill_unit_test(test_worker_beside seckill_notification_parts)
target_link_libraries(test_sink_file PRIVATE seckill_test_support) # wait_until
