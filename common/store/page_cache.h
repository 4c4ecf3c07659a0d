/*
 * The memory of SQLite's page cache, taken at once, at the start of a process that works on a file for long.
 *
 * SQLite takes it from malloc page by page as the file grows, so the first seconds of a sale pay for some
 * 16 000 page faults, in a virtual machine several µs each. In one piece it is in huge pages, where the
 * system has them, and there before the first order. (sqlite.org/malloc.html#_page_cache_memory)
 */
#ifndef SECKILL_STORE_PAGE_CACHE_H
#define SECKILL_STORE_PAGE_CACHE_H

/* What the largest cache of one store holds (store.c), and an eighth more: for the archive beside it, or the
 * reader of a backup. Stores that need more than there is take it from malloc. A build with AddressSanitizer
 * has the eighth only: it sees who writes past the end of what malloc gave, and its processes start often. */
#ifdef __SANITIZE_ADDRESS__
#define PAGE_CACHE_PAGES 2048
#else
#define PAGE_CACHE_PAGES (16384 + 2048)
#endif

/* Once, before the process opens its first store, and for the rest of its life; about 77 MiB (or 9). From
 * then on all of its stores belong to one thread, since SQLite is told to do without mutexes. Ends the
 * process if the memory is not to be had, or SQLite is in use already. */
void page_cache_reserve(void);

#endif
