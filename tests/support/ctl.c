/* Running seckillctl. */
#include "tests/support/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

enum { CTL_SECONDS = 180, CATALOGUE_SECONDS = 30 };

void ctl(struct stack *s, struct ctl_answer *answer, const char *const words[])
{
    char program[STACK_PATH];
    const char *argv[40] = {stack_program(s, "seckillctl", program), "--config", s->config, "--json"};
    int count = 4;

    for (int i = 0; words[i] && count < 39; i++)
        argv[count++] = words[i];
    process_run(argv, stack_environment(s), NULL, CTL_SECONDS, &answer->output);
    stack_note_report(s, "the output of seckillctl", text_c(&answer->output.err));
    answer->json = json_read(text_c(&answer->output.out));
}

void ctl_free(struct ctl_answer *answer)
{
    process_output_free(&answer->output);
    json_decref(answer->json);
    answer->json = NULL;
}

int ctl_status(struct stack *s, int expected, const char *const words[])
{
    struct ctl_answer answer;
    int status;

    ctl(s, &answer, words);
    status = answer.output.status;
    if (status != expected) {
        fputs("seckillctl", stderr);
        for (int i = 0; words[i]; i++)
            fprintf(stderr, " %s", words[i]);
        fprintf(stderr, ": exit status %d, not %d\n%s%s", status, expected, text_c(&answer.output.out),
                text_c(&answer.output.err));
    }
    ctl_free(&answer);
    return status;
}

struct shown_item {
    struct stack *stack;
    const struct item_terms *terms;
};

static bool shows_moment(const json_t *item, const char *member, int64_t wall_ms)
{
    char expected[RFC3339_SIZE];

    if (wall_ms == 0)
        return strcmp(json_text(item, member), "") == 0;
    /* To the second: fractions may or may not be shown. */
    return strncmp(json_text(item, member), rfc3339(wall_ms, expected), 19) == 0;
}

static bool catalogue_shows(void *context)
{
    const struct shown_item *shown = context;
    const struct item_terms *terms = shown->terms;
    struct http_response response;
    char path[200];
    json_t *item;
    bool shows;

    snprintf(path, sizeof path, "/v1/items/%s", terms->sku);
    http_request(shown->stack->http_port, "GET", path, NULL, NULL, &response);
    item = response.status == 200 ? json_body(&response) : NULL;
    shows = item && json_number(item, "stock_total") == terms->stock &&
            json_number(item, "limit_per_user") == terms->limit &&
            shows_moment(item, "starts_at", terms->starts_ms) &&
            shows_moment(item, "ends_at", terms->ends_ms) &&
            json_is_true(json_object_get(item, "paused")) == terms->paused;
    json_decref(item);
    http_response_free(&response);
    return shows;
}

int item_put(struct stack *s, const struct item_terms *terms)
{
    char price[32], stock[32], limit[32], starts[RFC3339_SIZE], ends[RFC3339_SIZE];
    const char *words[24] = {"item", "put", terms->sku};
    int count = 3;

    snprintf(price, sizeof price, "%" PRId64, terms->unit_price ? terms->unit_price : 100);
    snprintf(stock, sizeof stock, "%" PRId64, terms->stock);
    snprintf(limit, sizeof limit, "%d", terms->limit);
    words[count++] = "--unit-price";
    words[count++] = price;
    words[count++] = "--stock";
    words[count++] = stock;
    words[count++] = "--limit-per-user";
    words[count++] = limit;
    words[count++] = "--starts-at";
    words[count++] = terms->starts_ms ? rfc3339(terms->starts_ms, starts) : "none";
    words[count++] = "--ends-at";
    words[count++] = terms->ends_ms ? rfc3339(terms->ends_ms, ends) : "none";
    words[count++] = "--paused";
    words[count++] = terms->paused ? "true" : "false";
    if (ctl_status(s, 0, words) != 0)
        return -1;
    if (wait_until(catalogue_shows, &(struct shown_item){s, terms}, CATALOGUE_SECONDS))
        return 0;
    fprintf(stderr, "the front end's catalogue does not show %s as it was put\n", terms->sku);
    return -1;
}

int64_t item_left(struct stack *s, const char *sku)
{
    struct ctl_answer answer;
    int64_t left = -1;

    ctl(s, &answer, (const char *[]){"item", "show", sku, NULL});
    if (answer.output.status == 0 && json_number(answer.json, "stock_left") != JSON_NONE)
        left = json_number(answer.json, "stock_left");
    else
        fprintf(stderr, "item show %s: exit status %d\n%s%s", sku, answer.output.status,
                text_c(&answer.output.out), text_c(&answer.output.err));
    ctl_free(&answer);
    return left;
}

bool audit_passes(struct stack *s)
{
    return ctl_status(s, 0, (const char *[]){"audit", NULL}) == 0;
}
