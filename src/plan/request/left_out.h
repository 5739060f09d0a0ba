// What the numbers of an answer do not contain: a sentence each.
#pragma once

#include <string>
#include <vector>

namespace minke::plan {

enum class Language { kEnglish, kKorean };

std::vector<std::string> left_out_of_training(Language language);
std::vector<std::string> left_out_of_rl(Language language);
std::vector<std::string> left_out_of_serving(Language language);
std::vector<std::string> left_out_of_running(Language language);

}  // namespace minke::plan
