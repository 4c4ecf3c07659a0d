/* The fake gateway as a program: fake-gateway [PORT]. Prints "listening on 127.0.0.1:PORT" when it does, and
 * ends on SIGTERM or SIGINT. What it is to do is told by HTTP: see gateway.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/gateway.h"

int main(int argc, char **argv)
{
    sigset_t ends;
    int which;
    struct gateway *g;

    if (argc > 2) {
        fputs("usage: fake-gateway [PORT]\n", stderr);
        return 64;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* inherited by the thread */
    g = gateway_start(argc == 2 ? atoi(argv[1]) : 0);
    if (!g)
        return 69;
    printf("listening on 127.0.0.1:%d\n", gateway_port(g));
    fflush(stdout);
    sigwait(&ends, &which);
    gateway_free(g);
    return 0;
}
