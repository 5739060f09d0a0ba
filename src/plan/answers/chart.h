// Ranges as an SVG file that needs nothing else: a bar to the likely value of each row, a line from its low to its high one.
#pragma once

#include <span>
#include <string>

#include "plan/working.h"

namespace minke::plan {

struct Bar {
  std::string name;
  Range range;
  std::string text;  // beside the bar
};

// note: a line below the title, such as what is not in the numbers.
std::string bars_svg(const std::string& title, const std::string& note, std::span<const Bar> bars);

}  // namespace minke::plan
