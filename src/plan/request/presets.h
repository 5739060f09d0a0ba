// Questions that people really ask, as the page offers them.
#pragma once

#include <span>

namespace minke::plan {

struct Preset {
  const char* id;
  const char* title[2];  // English, Korean
  const char* note[2];   // what it is about, and where its inputs are from
  const char* headline;  // the figure that it is about, of the answer
  const char* request;   // JSON
};

std::span<const Preset> presets();

}  // namespace minke::plan
