#include "plan/request/request.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "plan/request/questions.h"
#include "plan/request/write.h"

namespace minke::plan {
namespace {

constexpr std::array<std::string_view, 6> kKinds = {"choices", "train", "rl", "serve", "run", "compare"};

// The planner's messages name flags of the command line; whoever asks in JSON knows keys.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kFlagsAsKeys = {{{"--token-ms", "token_ms"},
                                                                                         {"--tokens", "tokens"},
                                                                                         {"--seq", "seq_len"},
                                                                                         {"--batch", "sequences"},
                                                                                         {"--mtp", "with_mtp"},
                                                                                         {"--precision", "precision"},
                                                                                         {"--layout", "layout"},
                                                                                         {"--tflops", "tflops"},
                                                                                         {"--answer", "answer_tokens"},
                                                                                         {"--cap", "cap_tokens"},
                                                                                         {"--in", "input_tokens"},
                                                                                         {"--out", "output_tokens"},
                                                                                         {"--unit", "unit"},
                                                                                         {"--bits", "bits"},
                                                                                         {"--tp", "tensor"},
                                                                                         {"--compute", "compute"},
                                                                                         {"--disk", "disk_gb_per_s"}}};

Error with_keys(Error e) {
  for (const auto& [flag, key] : kFlagsAsKeys) {
    for (size_t at = e.message.find(flag); at != std::string::npos; at = e.message.find(flag, at + key.size())) {
      e.message.replace(at, flag.size(), key);
    }
  }
  return e;
}

Result<Json> train(const Inputs& in, const Tables& tables, Language language) {
  TrainQuestion q = TRY(train_question(in, tables));
  TrainAnswer a = TRY(answer_training(q, tables));
  return train_json(q, a, language);
}

Result<Json> rl(const Inputs& in, const Tables& tables, Language language) {
  RlQuestion q = TRY(rl_question(in, tables));
  RlAnswer a = TRY(answer_rl(q, tables));
  return rl_json(q, a, language);
}

Result<Json> serve(const Inputs& in, const Tables& tables, Language language) {
  ServeQuestion q = TRY(serve_question(in, tables));
  ServeAnswer a = TRY(answer_serving(q, tables));
  return serve_json(q, a, language);
}

Result<Json> run(const Inputs& in, const Tables& tables, Language language) {
  RunQuestion q = TRY(run_question(in, tables));
  RunAnswer a = TRY(answer_running(q, tables));
  return run_json(q, a, language);
}

Result<Json> compare(const Inputs& in, const Tables& tables) {
  ComparisonQuestion q = TRY(comparison_question(in, tables));
  return comparison_json(q.comparison, q.sweep, tables);
}

Result<Json> answer(const Inputs& in, const Tables& tables) {
  constexpr std::array<std::string_view, 2> kLanguages = {"en", "ko"};
  TRY(in.text("kind"));
  std::string kind = TRY(in.choice_or("kind", kKinds, ""));
  std::string spoken = TRY(in.choice_or("language", kLanguages, "en"));
  Language language = spoken == "ko" ? Language::kKorean : Language::kEnglish;
  if (kind == "train") return train(in, tables, language);
  if (kind == "rl") return rl(in, tables, language);
  if (kind == "serve") return serve(in, tables, language);
  if (kind == "run") return run(in, tables, language);
  if (kind == "compare") return compare(in, tables);
  constexpr std::array<std::string_view, 2> kKeys = {"kind", "language"};
  TRY(in.only("choices", kKeys));
  return choices_json(tables);
}

}  // namespace

Result<Json> answer_request(const Json& request, const Tables& tables) {
  if (!request.is_object()) return error("a question is a JSON object such as {{\"kind\": \"choices\"}}");
  Result<Json> out = answer(Inputs(request), tables);
  if (!out) return tl::unexpected<Error>(with_keys(std::move(out.error())));
  return out;
}

Result<std::string> answer_request_text(std::string_view text) {
  static const Tables kTables = Tables::builtin();
  Json request = TRY(parse_json(text, "the question", {.max_depth = 8}));
  Json out = TRY(answer_request(request, kTables));
  return dump_json(out);
}

}  // namespace minke::plan
