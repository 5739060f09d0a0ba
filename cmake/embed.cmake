# Writes OUTPUT, C++ that holds the text of every FOLDER/*.toml: minke::plan::kDataFiles.
file(GLOB files ${FOLDER}/*.toml)
list(SORT files)
set(rows "")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(APPEND rows "    {\"${name}\", R\"TOML(${text})TOML\"},\n")
endforeach()
list(LENGTH files n)
file(WRITE ${OUTPUT} "#include \"plan/tables/tables.h\"

namespace minke::plan {
extern const DataFile kDataFiles[] = {
${rows}};
const int kNDataFiles = ${n};
}  // namespace minke::plan
")
