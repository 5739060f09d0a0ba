// What an evaluation found, for people, programs and browsers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluation.h"

namespace minke::cli {

struct EvalReport {
  std::string model;
  std::vector<EvalResult> results;
  std::vector<EvalSummary> summaries;
  double seconds = 0;
};

// One report, or two of the same problems, which are compared.
std::string eval_text(std::span<const EvalReport> reports, int64_t n_shown);
Json eval_json(std::span<const EvalReport> reports);
// A page that needs nothing else, with every answer.
std::string eval_html(std::span<const EvalReport> reports);

}  // namespace minke::cli
