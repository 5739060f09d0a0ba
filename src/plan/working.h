// The working of an answer: which inputs went in, from where, and each formula with its numbers. --explain prints it, and the
// tests read from it which table entries an answer used.
#pragma once

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

namespace minke::plan {

// Which end of every uncertain input an answer takes: low is the cheap and fast end of all of them at once, high the other.
enum class Corner { kLow, kLikely, kHigh };

struct Uncertain {
  double low = 0, likely = 0, high = 0;  // as a table gives them, low <= likely <= high
  // The value at a corner. higher_is_better: more of it makes the answer cheaper or faster.
  double at(Corner corner, bool higher_is_better) const {
    if (corner == Corner::kLikely) return likely;
    return (corner == Corner::kLow) == higher_is_better ? high : low;
  }
};

// An output at the three corners. They are ordered by value, whatever the corner means for it.
struct Range {
  double low = 0, likely = 0, high = 0;
};

class Working {
 public:
  struct Input {
    std::string name, value, source;
  };
  struct Step {
    std::string name, formula, numbers, result;
  };

  void input(std::string name, std::string value, std::string source) {
    for (const Input& known : inputs_) {
      if (known.name == name && known.value == value) return;
    }
    inputs_.push_back({std::move(name), std::move(value), std::move(source)});
  }
  void step(std::string name, std::string formula, std::string numbers, std::string result) {
    steps_.push_back({std::move(name), std::move(formula), std::move(numbers), std::move(result)});
  }
  // A factor of efficiency.toml, by its full name.
  void use_factor(const std::string& name) { factors_.insert(name); }

  const std::vector<Input>& inputs() const { return inputs_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::set<std::string>& factors() const { return factors_; }

 private:
  std::vector<Input> inputs_;
  std::vector<Step> steps_;
  std::set<std::string> factors_;
};

}  // namespace minke::plan
