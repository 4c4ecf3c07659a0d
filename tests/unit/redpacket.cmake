# services/redpacket: the split, and the decision on real files in a temporary folder.
foreach(name test_split_amount test_grant_red_packet test_answer_packet)
  seckill_unit_test(${name} seckill_redpacket_parts PkgConfig::JANSSON)
endforeach()
seckill_unit_test(test_packet_schema seckill_redpacket_parts)
