// The people of the logic puzzles: a name for each in both languages.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tasks/procedural_task.h"

namespace minke {

constexpr std::array<Words, 12> kPeople = {{{"Ann", "민수"},
                                            {"Bob", "지영"},
                                            {"Cal", "서준"},
                                            {"Dee", "하나"},
                                            {"Eli", "도윤"},
                                            {"Fay", "유나"},
                                            {"Gus", "현우"},
                                            {"Ivy", "수빈"},
                                            {"Jon", "지호"},
                                            {"Kim", "은채"},
                                            {"Leo", "태오"},
                                            {"Mia", "보람"}}};

// `n` different numbers of 0..n_all-1 in random order.
inline std::vector<int64_t> draw_some(Draws& draws, size_t n, size_t n_all) {
  std::vector<int64_t> all(n_all);
  for (size_t i = 0; i < n_all; ++i) all[i] = static_cast<int64_t>(i);
  draws.shuffle(all);
  all.resize(n);
  return all;
}

}  // namespace minke
