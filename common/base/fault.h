/*
 * Fault points: named places at which a test build can be told to die, to stand still or to dawdle, so that
 * the worst moment can be tried and not only hoped for. Without SECKILL_FAULTS (the CMake option of that
 * name, never for a release) a point compiles to nothing.
 *
 *   SECKILL_FAULT=POINT:ACTION[@N][,POINT:ACTION[@N]]…      in the environment of a process
 *
 *   kill      SIGKILL to itself            stop      SIGSTOP to itself, all threads stand still
 *   term      SIGTERM to itself; goes on   delay=MS  this thread sleeps, then goes on
 *   @N        when the point is reached for the N-th time (default 1), once; @* every time
 *
 * Before it acts a point writes the log line "fault_point point=NAME action=…", which a test may wait for.
 * SECKILL_FAULT=list makes the program print its points, one a line, and end with 0. A name or an action that
 * it does not have is a usage error (64): a fault that never fires must not look like one that was survived.
 */
#ifndef SECKILL_BASE_FAULT_H
#define SECKILL_BASE_FAULT_H

#ifdef SECKILL_FAULTS

#include <stdint.h>

/* One for each place, collected by the linker: a program knows exactly the points that are in it. Two places
 * may have the same name. */
struct fault_point {
    const char *name; /* "transaction.committed": where, and what has just happened there */
};

/* Reads the environment; ends the process for "list" and for what it cannot read. Called by program_start,
 * before there is any other thread. */
void fault_start(void);

/* Any thread. */
void fault_reached(const struct fault_point *point);

#define FAULT_POINT(point_name)                                                                              \
    do {                                                                                                     \
        static const struct fault_point fault_point_here                                                     \
            __attribute__((used, section("seckill_faults"))) = {.name = (point_name)};                       \
        fault_reached(&fault_point_here);                                                                    \
    } while (0)

#else

#define FAULT_POINT(point_name) ((void)0)

static inline void fault_start(void)
{
}

#endif
#endif
