/* seckillctl: what an operator asks and tells a deployment. A table of commands, and the line that chooses
 * one. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/program.h"
#include "services/ctl/arguments.h"
#include "services/ctl/commands.h"

static const struct command commands[] = {
    {"item", "put", "SKU", "create or change an item", cmd_item_put_options, cmd_item_put},
    {"item", "list", NULL, "the catalogue", cmd_item_list_options, cmd_item_list},
    {"item", "show", "SKU", "one item", cmd_item_show_options, cmd_item_show},
    {"item", "restock", "SKU", "add stock, once for a key", cmd_item_restock_options, cmd_item_restock},
    {"item", "pause", "SKU", "sell nothing of an item for now", cmd_item_pause_options, cmd_item_pause},
    {"item", "resume", "SKU", "sell a paused item again", cmd_item_resume_options, cmd_item_resume},
    {"order", "show", "ID", "an order's whole life, from all services", cmd_order_show_options,
     cmd_order_show},
    {"order", "export", NULL, "decided orders as CSV or NDJSON, from the files of this host",
     cmd_order_export_options, cmd_order_export},
    {"campaign", "put", "SKU", "create or change an item's red packets", cmd_campaign_put_options,
     cmd_campaign_put},
    {"campaign", "list", NULL, "all red packet campaigns", cmd_campaign_list_options, cmd_campaign_list},
    {"campaign", "show", "SKU", "one item's red packets", cmd_campaign_show_options, cmd_campaign_show},
    {"balance", "show", "USER", "what a buyer was granted in red packets", cmd_balance_show_options,
     cmd_balance_show},
    {"dead", "list", NULL, "what no worker could take, and why", cmd_dead_list_options, cmd_dead_list},
    {"dead", "show", "ID", "one dead letter, whole", cmd_dead_show_options, cmd_dead_show},
    {"dead", "replay", "[ID]...", "send dead letters back to where they came from", cmd_dead_replay_options,
     cmd_dead_replay},
    {"dead", "drop", "[ID]...", "give dead letters up for good", cmd_dead_drop_options, cmd_dead_drop},
    {"topology", "definitions", NULL, "print the RabbitMQ definitions to import",
     cmd_topology_definitions_options, cmd_topology_definitions},
    {"topology", "check", NULL, "look whether the broker has all of it", cmd_topology_check_options,
     cmd_topology_check},
    {"archive", NULL, NULL, "move old decided orders out of inventory's files into their archives",
     cmd_archive_options, cmd_archive},
    {"audit", NULL, NULL, "prove the invariants from files and broker", cmd_audit_options, cmd_audit},
    {"backup", NULL, NULL, "copy and verify the databases of this host", cmd_backup_options, cmd_backup},
    {"restore", NULL, "BACKUP", "put a backup in the place of a database", cmd_restore_options, cmd_restore},
    {"stats", NULL, NULL, "which services are alive, and what they do", cmd_stats_options, cmd_stats},
    {"settings", NULL, NULL, "print the table of settings", cmd_settings_options, cmd_settings},
    {"commands", NULL, NULL, "print the table of commands", cmd_commands_options, cmd_commands},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct detail why;
    if (arguments_parse(&arguments, commands, argc, argv, &why)) {
        fprintf(stderr, "seckillctl: %s\nTry \"seckillctl --help\".\n", why.text);
        return EXIT_USAGE;
    }
    struct ctl *ctl = &arguments.ctl;
    if (ctl->command && arguments.help) {
        arguments_print_help(ctl->command);
        arguments_free(&arguments);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_DISK;
    }

    char *summary = arguments_command_list(commands);
    const struct program_spec spec = {
        .name = "seckillctl",
        .summary = summary,
        .usage = "COMMAND",
        .config = {.options = settings_table},
        .check = settings_check,
    };
    struct settings settings;
    struct config *config =
        program_start(&spec, arguments.common_argc, arguments.common_argv, &settings, NULL);
    ctl->settings = &settings;
    ctl->all = commands;
    int status;
    if (ctl->command) {
        status = ctl->command->run(ctl);
    } else {
        fprintf(stderr, "seckillctl: what is to be done? See seckillctl --help\n");
        status = EXIT_USAGE;
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        status = ctl_fail(EXIT_DISK, "the output could not be written");
    config_free(config);
    free(summary);
    arguments_free(&arguments);
    return status;
}
