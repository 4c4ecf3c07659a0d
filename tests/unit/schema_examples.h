/* The examples that stand in schema/messages/NAME.json: good ones ("examples"), and lines that must be
 * refused
 * ("x-bad-lines": the line, and a piece of text that the reason must have). */
#ifndef SECKILL_TESTS_SCHEMA_EXAMPLES_H
#define SECKILL_TESTS_SCHEMA_EXAMPLES_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/slice.h"

static inline json_t *schema_load(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/schema/messages/%s.json", SECKILL_SOURCE_DIR, name);
    json_error_t error;
    json_t *schema = json_load_file(path, 0, &error);
    if (!schema)
        fail_msg("%s: %s", path, error.text);
    return schema;
}

/* Calls good for each example as one line of text. */
static inline void schema_each_good(const char *name, void (*good)(struct slice line))
{
    json_t *schema = schema_load(name);
    size_t i;
    const json_t *example;
    json_array_foreach(json_object_get(schema, "examples"), i, example)
    {
        char *line = json_dumps(example, JSON_COMPACT);
        good(slice_of(line));
        free(line);
    }
    assert_true(i > 0);
    json_decref(schema);
}

static inline void schema_each_bad(const char *name, void (*bad)(struct slice line, const char *names))
{
    json_t *schema = schema_load(name);
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(schema, "x-bad-lines"), i, entry)
        bad(slice_of(json_string_value(json_object_get(entry, "line"))),
            json_string_value(json_object_get(entry, "names")));
    assert_true(i > 0);
    json_decref(schema);
}

static inline void assert_names(const char *detail, const char *names)
{
    if (!strstr(detail, names))
        fail_msg("the reason does not name \"%s\": %s", names, detail);
}

#endif
