# Writes a source file with every file of a folder in it, as rows of page_files() (src/serve/page_files.h). The assembler reads the
# bytes, so nothing is turned into text; the digest of each file is its etag.
function(minke_page_files folder output)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*)
  set(types .html text/html .js text/javascript .css text/css .svg image/svg+xml .woff2 font/woff2 .json application/json)
  set(index 0)
  foreach(file IN LISTS files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${folder}/${file})
    get_filename_component(extension ${file} LAST_EXT)
    list(FIND types ${extension} at)
    if(at EQUAL -1)
      message(FATAL_ERROR "${folder}/${file}: no content type is known for ${extension}: add it to cmake/page_files.cmake")
    endif()
    math(EXPR at "${at} + 1")
    list(GET types ${at} type)
    if(type MATCHES "^text/")
      string(APPEND type "; charset=utf-8")
    endif()
    # Vite puts a hash of the content into the names below assets/.
    string(REGEX MATCH "^assets/" is_immutable ${file})
    if(is_immutable)
      set(is_immutable true)
    else()
      set(is_immutable false)
    endif()
    file(SHA256 ${folder}/${file} digest)
    string(SUBSTRING ${digest} 0 16 digest)
    string(APPEND bytes ".balign 16\nminke_page_${index}: .incbin \"${folder}/${file}\"\nminke_page_${index}_end:\n.byte 0\n")
    string(APPEND names "extern const char minke_page_${index}[] __attribute__((visibility(\"hidden\")));\n")
    string(APPEND names "extern const char minke_page_${index}_end[] __attribute__((visibility(\"hidden\")));\n")
    string(APPEND rows "      {\"/${file}\", \"${type}\", text(minke_page_${index}, minke_page_${index}_end), \"${digest}\", ${is_immutable}},\n")
    string(APPEND globals ".globl minke_page_${index}\n.hidden minke_page_${index}\n.globl minke_page_${index}_end\n.hidden minke_page_${index}_end\n")
    list(APPEND depends ${folder}/${file})
    math(EXPR index "${index} + 1")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [==[
#include "serve/page_files.h"

__asm__(R"(
.pushsection .rodata
@globals@@bytes@.popsection
)");

extern "C" {
@names@}

namespace minke::serve {

std::span<const server::StaticFile> page_files() {
  const auto text = [](const char* begin, const char* end) { return std::string_view(begin, static_cast<size_t>(end - begin)); };
  static const server::StaticFile files[] = {
@rows@  };
  return files;
}

}  // namespace minke::serve
]==])
  set_source_files_properties(${output} PROPERTIES OBJECT_DEPENDS "${depends}")
endfunction()
