/* The one table of exchanges, queues, bindings and policies that the system lives on. */
#ifndef SECKILL_PIPELINE_TOPOLOGY_TABLE_H
#define SECKILL_PIPELINE_TOPOLOGY_TABLE_H

#include "common/broker/topology.h"

/* For this many shards (1–MAX_SHARDS). Owned by the caller: topology_table_free. */
const struct topology *topology_table_new(int shards);
void topology_table_free(const struct topology *t);

#endif
