// English and Korean side by side: tr("English", "한국어") gives the one that the user reads.
#pragma once

#include <string_view>

namespace minke::cli {

enum class Language { kEnglish, kKorean };

// MINKE_LANG (set by --lang), else LC_ALL, LC_MESSAGES, LANG: Korean when it starts with "ko".
Language language();

inline const char* tr(const char* english, const char* korean) { return language() == Language::kKorean ? korean : english; }

}  // namespace minke::cli
