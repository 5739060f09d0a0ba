#include "cli/language.h"

#include <cstdlib>

namespace minke::cli {

Language language() {
  for (const char* name : {"MINKE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    return std::string_view(value).starts_with("ko") ? Language::kKorean : Language::kEnglish;
  }
  return Language::kEnglish;
}

}  // namespace minke::cli
