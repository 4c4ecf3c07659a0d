# The sink webhook, against the fake gateway of tests/support in the same process.
seckill_unit_test(test_retry_after seckill_notification_parts)
seckill_unit_test(test_webhook_answer seckill_notification_parts PkgConfig::JANSSON)
foreach(name test_sink_webhook test_webhook_trouble)
  seckill_unit_test(${name} seckill_notification_parts seckill_test_gateway PkgConfig::JANSSON)
endforeach()
seckill_unit_test(test_webhook_tls seckill_notification_parts PkgConfig::MICROHTTPD)
