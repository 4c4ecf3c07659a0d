# Builds report.html into the program: cmake -DPAGE=… -DOUTPUT=… -P embed_page.cmake
# Byte by byte: no quoting to get wrong, no bound on the length of a string literal.
file(READ ${PAGE} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
file(WRITE ${OUTPUT} "/* Made from loadtest/replay/report.html by embed_page.cmake. */
#include \"loadtest/replay/report_page.h\"

static const char bytes[] = {
${bytes}0};

const struct slice report_page = {.data = bytes, .len = sizeof bytes - 1};
")
