#include "common/pipeline/worker_main.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/program.h"
#include "common/base/signals.h"
#include "common/pipeline/broker_login.h"
#include "common/store/page_cache.h"

void worker_main_start(struct worker_main *m, const char *name, const char *summary, int argc, char **argv)
{
    const struct program_flag flags[] = {
        {"init", &m->init, "make the database if it is missing; without this a missing one is an error"},
        {"init-only", &m->init_only, "the same, and exit"},
        {NULL, NULL, NULL},
    };
    const struct program_spec spec = {
        .name = name,
        .summary = summary,
        .usage = "",
        .flags = flags,
        .config = {.options = settings_table},
        .check = m->check ? m->check : settings_check,
    };
    struct detail why;
    char quoted[512];
    m->init = m->init_only = false;
    m->config = program_start(&spec, argc, argv, &m->settings, NULL);
    log_set_level((enum log_level)m->settings.log.level);
    m->signal_fd = signals_start();
    if (m->signal_fd < 0)
        log_fatal(EXIT_DISK, "signals_failed", "what=signalfd");
    if (broker_login_addresses(&m->settings, &m->addresses, &why) != 0)
        log_fatal(EXIT_CONFIG, "config_invalid", "why=%s", log_quote(why.text, quoted, sizeof quoted));
    if (dir_make(m->settings.store.dir, &why) != 0)
        log_fatal(EXIT_DISK, "store_dir_failed", "why=%s", log_quote(why.text, quoted, sizeof quoted));
}

int worker_main_run(struct worker_main *m, const struct worker_spec *spec)
{
    struct worker_spec whole = *spec;
    whole.init = m->init || m->init_only;
    whole.init_only = m->init_only;
    whole.addresses = &m->addresses;
    whole.heartbeat_s = (int)m->settings.broker.heartbeat_s;
    whole.timeout_ms = (int)m->settings.broker.timeout_ms;
    whole.confirm_timeout_ms = m->settings.worker.confirm_timeout_ms;
    page_cache_reserve();
    int code = worker_run(&whole, m->signal_fd);
    broker_addresses_free(&m->addresses);
    config_free(m->config);
    m->config = NULL;
    return code;
}

void worker_main_reload(struct worker_main *m)
{
    struct detail why;
    char quoted[512];
    if (config_reload(m->config, &m->settings, &why) != 0)
        log_error("reload_failed", "why=%s", log_quote(why.text, quoted, sizeof quoted));
    else
        log_info("reloaded", "log_level=%d", m->settings.log.level);
    log_set_level((enum log_level)m->settings.log.level);
}
