# Writes OUTPUT, a C file with the table shipped_templates (shipped_templates.h) of every DIR/<language>.conf. Run by
# cmake -P.
file(GLOB files ${DIR}/*.conf)
list(SORT files)
set(texts "")
set(rows "")
foreach(file IN LISTS files)
  get_filename_component(language ${file} NAME_WE)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND texts "static const char text_${language}[] = {\n${bytes}0};\n\n")
  string(APPEND rows "    {\"${language}\", text_${language}},\n")
endforeach()
file(WRITE ${OUTPUT} "/* Made from services/notification/templates by embed_templates.cmake. */
#include \"services/notification/shipped_templates.h\"

${texts}const struct shipped_templates shipped_templates[] = {
${rows}    {0},
};
")
