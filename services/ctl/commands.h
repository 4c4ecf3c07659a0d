/* The commands' functions and options: one pair for each cmd_*.c. */
#ifndef SECKILL_CTL_COMMANDS_H
#define SECKILL_CTL_COMMANDS_H

#include "services/ctl/command.h"

extern const struct ctl_option cmd_item_put_options[], cmd_item_list_options[], cmd_item_show_options[],
    cmd_item_restock_options[], cmd_item_pause_options[], cmd_item_resume_options[], cmd_order_show_options[],
    cmd_topology_definitions_options[], cmd_topology_check_options[], cmd_audit_options[],
    cmd_stats_options[], cmd_settings_options[], cmd_campaign_put_options[], cmd_campaign_list_options[],
    cmd_campaign_show_options[], cmd_balance_show_options[], cmd_dead_list_options[], cmd_dead_show_options[],
    cmd_dead_replay_options[], cmd_dead_drop_options[], cmd_order_export_options[], cmd_commands_options[],
    cmd_archive_options[], cmd_backup_options[], cmd_restore_options[];

int cmd_item_put(const struct ctl *ctl);
int cmd_item_list(const struct ctl *ctl);
int cmd_item_show(const struct ctl *ctl);
int cmd_item_restock(const struct ctl *ctl);
int cmd_item_pause(const struct ctl *ctl);
int cmd_item_resume(const struct ctl *ctl);
int cmd_order_show(const struct ctl *ctl);
int cmd_order_export(const struct ctl *ctl);
int cmd_campaign_put(const struct ctl *ctl);
int cmd_campaign_list(const struct ctl *ctl);
int cmd_campaign_show(const struct ctl *ctl);
int cmd_balance_show(const struct ctl *ctl);
int cmd_dead_list(const struct ctl *ctl);
int cmd_dead_show(const struct ctl *ctl);
int cmd_dead_replay(const struct ctl *ctl);
int cmd_dead_drop(const struct ctl *ctl);
int cmd_topology_definitions(const struct ctl *ctl);
int cmd_topology_check(const struct ctl *ctl);
int cmd_stats(const struct ctl *ctl);
int cmd_audit(const struct ctl *ctl);
int cmd_backup(const struct ctl *ctl);
int cmd_restore(const struct ctl *ctl);
int cmd_settings(const struct ctl *ctl);
int cmd_archive(const struct ctl *ctl);
int cmd_commands(const struct ctl *ctl);

#endif
