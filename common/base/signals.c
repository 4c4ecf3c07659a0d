/* Signals as file descriptor events, by signalfd(2). */
#include "common/base/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_start(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGHUP);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || pthread_sigmask(SIG_BLOCK, &wanted, NULL) != 0)
        return E_IO;
    int fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? E_IO : fd;
}

enum signal_event signals_next(int fd)
{
    struct signalfd_siginfo info;
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return SIGNAL_NONE;
    return info.ssi_signo == SIGHUP ? SIGNAL_RELOAD : SIGNAL_STOP;
}
