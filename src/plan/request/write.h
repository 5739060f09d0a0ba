// Answers as JSON: what --json prints and what the page asks for.
#pragma once

#include "base/json.h"
#include "plan/answers/compare.h"
#include "plan/answers/rl_answer.h"
#include "plan/answers/run_answer.h"
#include "plan/request/left_out.h"

namespace minke::plan {

Json range_json(const Range& range);
Json working_json(const Working& working);

Json train_json(const TrainQuestion& question, const TrainAnswer& answer, Language language);
Json rl_json(const RlQuestion& question, const RlAnswer& answer, Language language);
Json serve_json(const ServeQuestion& question, const ServeAnswer& answer, Language language);
Json run_json(const RunQuestion& question, const RunAnswer& answer, Language language);
// Of a comparison: one on each device, or with a sweep one for every factor and device.
Json comparison_json(const Comparison& comparison, const std::optional<Sweep>& sweep, const Tables& tables);
Json outcome_json(const Comparison& comparison, const Outcome& outcome);

const char* precision_name(Precision precision);

}  // namespace minke::plan
