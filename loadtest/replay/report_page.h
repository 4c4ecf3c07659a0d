/* The page of the report, report.html, built into the program. */
#ifndef SECKILL_REPLAY_REPORT_PAGE_H
#define SECKILL_REPLAY_REPORT_PAGE_H

#include "common/base/slice.h"

extern const struct slice report_page; /* made by embed_page.cmake; the report's JSON goes in at its mark */

#endif
