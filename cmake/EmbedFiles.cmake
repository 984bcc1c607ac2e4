# cmake -DOUTPUT=x.cpp -DNAMESPACE=a::b "-DNAMES=page_css;chart_js" "-DFILES=page.css;chart.js" -P EmbedFiles.cmake
# Writes a source that defines a std::string_view of each name with a file's bytes.
set(text "#include <string_view>\n\nnamespace ${NAMESPACE} {\n")
list(LENGTH NAMES count)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  list(GET NAMES ${i} name)
  list(GET FILES ${i} file)
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND text "static const char ${name}_bytes[] = {${bytes}};\n"
                     "extern const std::string_view ${name};\n"
                     "const std::string_view ${name}(${name}_bytes, sizeof ${name}_bytes);\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}}\n")
