// The card of a model that a recipe made: what it is, what made it, what it can and cannot do, what it cost. Every figure comes
// from the stages' own records.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "eval/eval_table.h"
#include "ledger/lineage.h"
#include "model/config.h"

namespace minke::cli {

struct CardStage {
  std::string name, kind;
  std::string outcome;  // a few words
  std::string curves;   // a file beside the card; empty: none
  ledger::Sum cost;     // of all its runs, interrupted ones included
};

struct Card {
  std::string title, name;  // name: of the folder that the model is published in, such as models/nano
  std::vector<std::string> questions, notes;
  ModelConfig config;
  uint64_t n_bytes = 0;  // of the weights
  std::string weights_digest;
  std::vector<CardStage> stages;
  EvalTable evals;
  size_t row = 0;   // of evals.models: the card's model
  std::string cpu;  // of the last run
  std::string commit;
};

// What a stage's done.json comes to, in a few words.
std::string stage_outcome(const Json& done);

std::string card_markdown(const Card& card);

}  // namespace minke::cli
