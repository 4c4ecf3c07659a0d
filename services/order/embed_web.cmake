# Builds the files of services/order/web into a program.
#
#   seckill_embed_web(TARGET)  adds a generated file to TARGET that defines  const struct slice web_files[];
#
# The order of the files is that of enum web_file in http_pages.h. The same file is the script that writes it
# (cmake -P), so that a changed page is taken up by the build alone.
set(SECKILL_WEB_FILES index.html order.html busy.html sold-out.html dashboard.html style.css)

if(CMAKE_SCRIPT_MODE_FILE)
  set(number 0)
  foreach(name IN LISTS SECKILL_WEB_FILES)
    # Byte by byte: no quoting to get wrong, no bound on the length of a string literal.
    file(READ ${WEB_DIR}/${name} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(APPEND texts "static const char file_${number}[] = { /* ${name} */\n${bytes}0};\n\n")
    string(APPEND rows "    {.data = file_${number}, .len = sizeof file_${number} - 1},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(WRITE ${OUTPUT} "/* Made from services/order/web by services/order/embed_web.cmake. */
#include \"services/order/http_pages.h\"

${texts}const struct slice web_files[] = {
${rows}};
")
  return()
endif()

set(SECKILL_WEB_DIR ${CMAKE_CURRENT_LIST_DIR}/web CACHE INTERNAL "")
set(SECKILL_WEB_SCRIPT ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "")
function(seckill_embed_web target)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/web_files.c)
  list(TRANSFORM SECKILL_WEB_FILES PREPEND ${SECKILL_WEB_DIR}/ OUTPUT_VARIABLE files)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DWEB_DIR=${SECKILL_WEB_DIR} -DOUTPUT=${output} -P ${SECKILL_WEB_SCRIPT}
    DEPENDS ${files} ${SECKILL_WEB_SCRIPT}
    COMMENT "Embedding services/order/web"
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
