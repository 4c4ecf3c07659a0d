#include "common/store/page_cache.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/log.h"

#define PAGE_SIZE ((size_t)4096) /* SQLite's own, if nobody chooses another */
#define HUGE_SIZE                                                                                            \
    ((size_t)2 << 20) /* of a transparent huge page on x86-64 and arm64 with small pages of 4 KiB */

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* Never given back. */
static char *take_memory(size_t size)
{
    char *memory = mmap(NULL, size + HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        log_panic("page_cache_failed", "size=%zu why=\"%s\"", size, strerror(errno));
    memory += round_up((uintptr_t)memory, HUGE_SIZE) - (uintptr_t)memory;
    (void)!madvise(memory, size, MADV_HUGEPAGE); /* advice: a kernel without them has small ones */
    memset(memory, 0, size);                     /* so it is there */
    return memory;
}

void page_cache_reserve(void)
{
    int header = 0;
    int code = sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    if (code == SQLITE_OK)
        code = sqlite3_config(SQLITE_CONFIG_PCACHE_HDRSZ, &header);
    if (code == SQLITE_OK) {
        const size_t line = round_up(PAGE_SIZE + (size_t)header, 8);
        const size_t size = round_up(line * PAGE_CACHE_PAGES, HUGE_SIZE);
        code = sqlite3_config(SQLITE_CONFIG_PAGECACHE, take_memory(size), (int)line, (int)(size / line));
    }
    if (code != SQLITE_OK)
        log_panic("page_cache_failed", "sqlite=\"%s\"", sqlite3_errstr(code));
}
