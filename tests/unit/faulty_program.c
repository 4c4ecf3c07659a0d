/* The smallest program with fault points, for test_fault. Each word on its command line names a place to
 * pass. */
#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/program.h"

static const struct config_option table[] = {{.key = NULL}};

static void pass(const char *word)
{
    if (strcmp(word, "one") == 0)
        FAULT_POINT("tiny.one");
    else if (strcmp(word, "two") == 0)
        FAULT_POINT("tiny.two");
    else if (strcmp(word, "twin") == 0) /* another place of the same name */
        FAULT_POINT("tiny.two");
    printf("%s;", word);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct program_spec spec = {.name = "faulty",
                                      .summary = "Passes the places that its words name.",
                                      .usage = "[WORD]...",
                                      .config = {.options = table},
                                      .takes_arguments = true};
    char settings;
    int first = 0;
    struct config *config = program_start(&spec, argc, argv, &settings, &first);
    for (int i = first; i < argc; i++)
        pass(argv[i]);
    config_free(config);
    return EXIT_OK;
}
