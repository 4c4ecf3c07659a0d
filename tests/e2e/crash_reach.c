/* The processes that are tried, and how each of their fault points is reached. */
#include <string.h>

#include "tests/e2e/crash.h"

const struct crash_process crash_processes[] = {
    {"order", "seckill-order"},
    {"inventory", "seckill-inventory"},
    {"redpacket", "seckill-redpacket"},
    {"notification", "seckill-notification"},
    {"broker", NULL},
};
const int crash_process_count = sizeof crash_processes / sizeof *crash_processes;

const char *const crash_how_names[CRASH_HOWS] = {"kill", "stop", "term"};

enum { EACH_ORDER = 1500, EACH_BATCH = 60, SELDOM = 6 };

static const struct {
    const char *point;
    enum crash_reach reach;
    int most; /* 0: the first time */
} points[] = {
    /* the front end */
    {"submit.begun", REACH_LOAD, EACH_ORDER},
    {"http.suspended", REACH_LOAD, EACH_ORDER},
    {"http.before_resume", REACH_LOAD, EACH_BATCH},
    {"http.answering", REACH_LOAD, EACH_ORDER},
    {"http.answered", REACH_LOAD, EACH_ORDER},
    {"publisher.gathered", REACH_LOAD, EACH_BATCH},
    {"publisher.before_publish", REACH_LOAD, EACH_BATCH},
    {"publisher.published", REACH_LOAD, EACH_BATCH},
    {"publisher.confirmed", REACH_LOAD, EACH_BATCH},
    {"publisher.noted", REACH_LOAD, EACH_BATCH},
    {"publisher.settled", REACH_LOAD, EACH_BATCH},
    {"arrivals.decided", REACH_LOAD, EACH_BATCH},
    {"arrivals.snapshot", REACH_LOAD, SELDOM},
    {"ledger.created", REACH_START, 0},
    {"front_end.listening", REACH_START, 0},
    {"publisher.connected", REACH_START, 0},
    {"publisher.lost", REACH_CUT, 0},
    {"publisher.reconnected", REACH_CUT, 0},
    {"publisher.timed_out", REACH_SILENCE, 0},
    {"publisher.refused", REACH_UNROUTABLE, SELDOM},
    {"arrivals.returned", REACH_UNROUTABLE, SELDOM},
    {"ledger.probed", REACH_NO_LEDGER, 0},
    {"front_end.draining", REACH_TERM, 0},
    {"front_end.quiesced", REACH_TERM, 0},
    {"front_end.publisher_stopped", REACH_TERM, 0},
    {"front_end.http_stopped", REACH_TERM, 0},
    /* workers */
    {"worker.gathered", REACH_LOAD, EACH_BATCH},
    {"worker.taken_meanwhile", REACH_BACKLOG, 0},
    {"transaction.begun", REACH_LOAD, EACH_BATCH},
    {"transaction.line", REACH_LOAD, EACH_ORDER},
    {"transaction.before_commit", REACH_LOAD, EACH_BATCH},
    {"transaction.committed", REACH_LOAD, EACH_BATCH},
    {"worker.replied", REACH_LOAD, EACH_BATCH},
    {"worker.before_ack", REACH_LOAD, EACH_BATCH},
    {"worker.acknowledged", REACH_LOAD, EACH_BATCH},
    {"relay.before_publish", REACH_LOAD, EACH_BATCH},
    {"relay.published", REACH_LOAD, EACH_BATCH},
    {"relay.confirmed", REACH_LOAD, EACH_BATCH},
    {"stock.before_broadcast", REACH_LOAD, SELDOM},
    {"stock.broadcast", REACH_LOAD, SELDOM},
    {"relay.tidied", REACH_IDLE, 0},
    {"store.before_checkpoint", REACH_IDLE, 0},
    {"store.checkpointed", REACH_IDLE, 0},
    {"worker.locked", REACH_START, 0},
    {"worker.opened", REACH_START, 0},
    {"worker.test_written", REACH_START, 0},
    {"worker.half_connected", REACH_START, 0},
    {"worker.consuming", REACH_START, 0},
    {"migrate.before_commit", REACH_NEW_FILE, 0},
    {"migrate.committed", REACH_NEW_FILE, 0},
    {"inbox.attempt_counted", REACH_REDELIVERY, 0},
    {"inbox.buried", REACH_BAD_LINE, 0},
    {"transaction.rolled_back", REACH_BAD_DISK, 0},
    {"rpc.before_handling", REACH_ASKED, 0},
    {"rpc.handled", REACH_ASKED, 0},
    {"rpc.answered", REACH_ASKED, 0},
    {"item.before_commit", REACH_ASKED, 0},
    {"item.committed", REACH_ASKED, 0},
    {"campaign.before_commit", REACH_ASKED, 0},
    {"campaign.committed", REACH_ASKED, 0},
    {"packet.added", REACH_LOAD, EACH_ORDER},
    {"packet.decided", REACH_LOAD, EACH_ORDER},
    {"notify.handed_on", REACH_LOAD, EACH_ORDER},
    {"notify.begun", REACH_LOAD, EACH_ORDER},
    {"notify.answered", REACH_LOAD, EACH_BATCH},
    {"notify.again_later", REACH_LOAD, EACH_BATCH},
    {"notify.settled", REACH_LOAD, EACH_BATCH},
    {"sink_file.written", REACH_FILE_SINK, SELDOM},
    {"worker.disconnected", REACH_CUT, 0},
    {"relay.refused", REACH_NO_EVENTS, SELDOM},
    {"worker.draining", REACH_TERM, 0},
    {"worker.cancelled", REACH_TERM, 0},
    {"worker.drained", REACH_TERM, 0},
    {"worker.closed", REACH_TERM, 0},
    {"worker.before_unlock", REACH_TERM, 0},
};

enum crash_reach crash_reach_of(const char *point, int *most)
{
    *most = 0;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        if (strcmp(points[i].point, point) == 0) {
            *most = points[i].most;
            return points[i].reach;
        }
    }
    return REACH_KINDS;
}
