# Builds numbered SQL files into a program: those of schema/pipeline, which every worker has, and those of
# schema/<service>. Together they are numbered without a gap.
#
#   seckill_embed_migrations(TARGET SERVICE [ALONE])  adds a generated file to TARGET that defines
#       const struct migration SERVICE_migrations[];
#
# ALONE: a file that is not a worker's own; it has no tables of schema/pipeline.
#
# The same file is the script that writes it (cmake -P), so that a changed .sql is taken up by the build alone.
if(CMAKE_SCRIPT_MODE_FILE)
  set(patterns ${SCHEMA_DIR}/pipeline/*.sql ${SCHEMA_DIR}/${SERVICE}/*.sql)
  if(ALONE)
    set(patterns ${SCHEMA_DIR}/${SERVICE}/*.sql)
  endif()
  file(GLOB files ${patterns})
  list(SORT files COMPARE FILE_BASENAME)
  set(rows "")
  set(expected 1)
  foreach(file IN LISTS files)
    get_filename_component(base ${file} NAME_WE)
    if(NOT base MATCHES "^([0-9][0-9][0-9])_([a-z0-9_]+)$")
      message(FATAL_ERROR "${file}: the name must be NNN_name.sql")
    endif()
    set(number ${CMAKE_MATCH_1})
    set(name ${CMAKE_MATCH_2})
    string(REGEX REPLACE "^0+" "" version ${number})
    if(NOT version EQUAL expected)
      message(FATAL_ERROR "${file}: expected number ${expected}")
    endif()
    math(EXPR expected "${expected} + 1")
    # Byte by byte: no quoting to get wrong, no bound on the length of a string literal.
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
    string(APPEND texts "static const char sql_${number}[] = {\n${bytes}0};\n\n")
    string(APPEND rows "    {.version = ${version}, .name = \"${name}\", .sql = sql_${number}},\n")
  endforeach()
  file(WRITE ${OUTPUT} "/* Made from schema/pipeline and schema/${SERVICE} by common/store/embed_migrations.cmake. */
#include \"common/store/migrate.h\"

extern const struct migration ${SERVICE}_migrations[];

${texts}const struct migration ${SERVICE}_migrations[] = {
${rows}    {.version = 0},
};
")
  return()
endif()

set(SECKILL_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "")
function(seckill_embed_migrations target service)
  set(dir ${PROJECT_SOURCE_DIR}/schema)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${service}_migrations.c)
  set(alone OFF)
  if("ALONE" IN_LIST ARGN)
    set(alone ON)
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${dir}/pipeline/*.sql ${dir}/${service}/*.sql)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DSCHEMA_DIR=${dir} -DSERVICE=${service} -DALONE=${alone} -DOUTPUT=${output} -P ${SECKILL_EMBED_SCRIPT}
    DEPENDS ${files} ${SECKILL_EMBED_SCRIPT}
    COMMENT "Embedding schema/${service}"
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
