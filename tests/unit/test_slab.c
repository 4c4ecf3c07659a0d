/* Pieces do not overlap, are used again for their size, and hold anything. */
#include "tests/unit/base_support.h"

#include <stdint.h>

#include "common/base/slab.h"

enum { PIECES = 20000 };

static size_t size_of(size_t i)
{
    return 1 + i * 7 % SLAB_SIZE_MAX;
}

static void test_pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct slab slab = {0};
    unsigned char **pieces = calloc(PIECES, sizeof *pieces);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = slab_take(&slab, size_of(i));
        assert_int_equal((uintptr_t)pieces[i] % SLAB_GRAIN, 0);
        memset(pieces[i], (int)(i % 251), size_of(i));
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < size_of(i); k++)
            assert_int_equal(pieces[i][k], i % 251);
    free(pieces);
    slab_free(&slab);
}

static void test_what_is_given_back_serves_the_next_of_its_size(void **state)
{
    (void)state;
    struct slab slab = {0};
    void *first = slab_take(&slab, 100), *second = slab_take(&slab, 200);
    slab_give_back(&slab, first, 100);
    slab_give_back(&slab, second, 200);
    assert_ptr_equal(slab_take(&slab, 208), second); /* both are 13 grains */
    assert_ptr_equal(slab_take(&slab, 97), first);
    assert_ptr_not_equal(slab_take(&slab, 100), first);
    slab_free(&slab);
}

/* However often it is filled and emptied, it is no larger than when it was full. */
static void test_it_does_not_grow_by_use(void **state)
{
    (void)state;
    struct slab slab = {0};
    void **pieces = calloc(PIECES, sizeof *pieces);
    void *newest = NULL;
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < PIECES; i++)
            pieces[i] = slab_take(&slab, 96 + i % 3 * SLAB_GRAIN);
        if (round == 0)
            newest = slab.chunks;
        assert_ptr_equal(slab.chunks, newest);
        for (size_t i = 0; i < PIECES; i++) {
            size_t k = i * 7919 % PIECES; /* in another order than they came */
            slab_give_back(&slab, pieces[k], 96 + k % 3 * SLAB_GRAIN);
        }
    }
    free(pieces);
    slab_free(&slab);
    assert_null(slab.chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(test_what_is_given_back_serves_the_next_of_its_size),
        cmocka_unit_test(test_it_does_not_grow_by_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
