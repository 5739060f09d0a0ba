// The curves of a run as one SVG file that needs nothing else. Colours follow the reader's light or dark setting.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "train/report/step_record.h"

namespace minke {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x ascending; points that are not finite are left out
};

struct Panel {
  std::string title;
  std::vector<Line> lines;  // at most six
  bool from_zero = false;   // the y axis starts at 0
};

// Axes with round numbers, one panel below the other. Lines with thousands of points are drawn as means of neighbours.
std::string panels_svg(const std::string& title, const std::string& x_title, std::span<const Panel> panels);

// Loss, learning rate and speed over tokens; of runs that learn from their own answers what these were worth, their length and
// entropy over steps.
std::string run_curves_svg(const std::string& run_name, std::span<const StepRecord> records);

}  // namespace minke
