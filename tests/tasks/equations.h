// The equations that a thought contains, and whether they hold: computed here by other means than the tasks use.
#pragma once

#include <string>
#include <vector>

namespace minke {

// "3*4=12" and "7+12-12=19-12=7": words of digits, + - * / // % ( ) < > and at least one =, read up to a full stop or comma.
std::vector<std::string> equations_in(const std::string& text);

// All sides have one value. Sides that do not parse make it false.
bool holds(const std::string& equation);

}  // namespace minke
