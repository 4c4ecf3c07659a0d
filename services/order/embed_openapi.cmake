# Builds schema/openapi.yaml into a program.
#
#   seckill_embed_openapi(TARGET)  adds a generated file to TARGET that defines  const struct slice openapi_file;
#
# The same file is the script that writes it (cmake -P), so that a changed description is taken up by the build alone.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${FILE} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  file(WRITE ${OUTPUT} "/* Made from schema/openapi.yaml by services/order/embed_openapi.cmake. */
#include \"services/order/query.h\"

static const char text[] = {\n${bytes}0};

const struct slice openapi_file = {.data = text, .len = sizeof text - 1};
")
  return()
endif()

set(SECKILL_OPENAPI_FILE ${PROJECT_SOURCE_DIR}/schema/openapi.yaml CACHE INTERNAL "")
set(SECKILL_OPENAPI_SCRIPT ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "")
function(seckill_embed_openapi target)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/openapi_file.c)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DFILE=${SECKILL_OPENAPI_FILE} -DOUTPUT=${output} -P ${SECKILL_OPENAPI_SCRIPT}
    DEPENDS ${SECKILL_OPENAPI_FILE} ${SECKILL_OPENAPI_SCRIPT}
    COMMENT "Embedding schema/openapi.yaml"
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
