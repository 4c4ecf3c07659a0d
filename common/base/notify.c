/* systemd's notification protocol. libsystemd does nothing where $NOTIFY_SOCKET is not set. */
#include "common/base/notify.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "common/base/clock.h"

#define STATUS_SIZE 256

static int64_t watchdog_period_ns; /* between two pings; 0: nobody wants any */
static pthread_once_t watchdog_once = PTHREAD_ONCE_INIT;
static _Atomic int64_t next_ping_ns;

/* What systemd is told is a courtesy: a lost message must not stop the service, so results are left alone. */
static void tell(const char *state)
{
    (void)sd_notify(0, state);
}

void notify_ready(void)
{
    tell("READY=1");
}

void notify_stopping(void)
{
    tell("STOPPING=1");
}

void notify_reloading(void)
{
    /* Type=notify-reload wants the moment as well (sd_notify(3)). */
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_mono_ns() / 1000));
}

void notify_status(const char *format, ...)
{
    char text[STATUS_SIZE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0)
        return;
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20)
            *p = ' '; /* a newline would begin another variable */
    (void)sd_notifyf(0, "STATUS=%s", text);
}

static void read_watchdog_interval(void)
{
    uint64_t interval_us = 0;
    if (sd_watchdog_enabled(0, &interval_us) > 0)
        watchdog_period_ns = (int64_t)(interval_us / 2) * 1000;
}

void notify_watchdog(int64_t now_ns)
{
    pthread_once(&watchdog_once, read_watchdog_interval);
    if (watchdog_period_ns == 0)
        return;
    int64_t due = atomic_load_explicit(&next_ping_ns, memory_order_relaxed);
    if (now_ns < due)
        return;
    if (atomic_compare_exchange_strong(&next_ping_ns, &due, now_ns + watchdog_period_ns))
        tell("WATCHDOG=1");
}
