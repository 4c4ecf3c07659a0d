/* The red packets' campaigns and balances: asked for, and shown to people and programs. */
#ifndef SECKILL_CTL_CAMPAIGN_VIEW_H
#define SECKILL_CTL_CAMPAIGN_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "services/ctl/command.h"

#define CTL_OPTION_PLAIN_JSON                                                                                \
    {                                                                                                        \
        "json", NULL, "print JSON: what the service answers"                                                 \
    }

/* Asks the red packets' worker, once. Takes body over. An exit code; EXIT_OK: *result is the caller's. */
int redpacket_ask(const struct ctl *ctl, const char *method, json_t *body, json_t **result);

/* One campaign, a line for each of its properties; {"campaigns": […]} as a table; or as JSON. Return the exit
 * code. */
int campaign_print(json_t *campaign, bool as_json);
int campaign_list_print(json_t *list, bool as_json);

#endif
