// With and without speculation: the same tokens, the same reports, the same cache afterwards.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "engine/generator.h"
#include "support/sanitized.h"
#include "support/support.h"
#include "synthetic/named_configs.h"
#include "synthetic/random_model.h"

namespace minke {
namespace {

using Tokens = std::vector<TokenId>;

std::string stories() { return testing::repository_path("tests/data/models/stories260K/hf"); }
std::string stories_q8_0() { return testing::repository_path("tests/data/models/stories260K/gguf/stories260K-q8_0.gguf"); }
std::string golden(const std::string& name) { return testing::repository_path("tests/goldens/models/" + name); }

// A step takes a second however many rows it has: every draft that is right once in a while pays, so drafting never stops.
double one_second(int64_t) { return 1.0; }

// A GGUF file of a small model of R1's architecture, its module of multi-token prediction included, with random weights and
// rows long enough for every quantised type. Made once.
std::string random_deepseek_v3(const std::string& mix) {
  static testing::TemporaryDirectory directory;
  const std::string path = directory.file(mix + ".gguf");
  if (std::filesystem::exists(path)) return path;
  Json json = testing::value_of(read_json_file(golden("deepseek_v3") + "/config.json"));
  json.update({{"vocab_size", 320},
               {"hidden_size", 256},
               {"intermediate_size", 512},
               {"moe_intermediate_size", 256},
               {"n_routed_experts", 8},
               {"num_experts_per_tok", 2},
               {"num_hidden_layers", 2},
               {"q_lora_rank", 256},
               {"kv_lora_rank", 256},
               {"qk_nope_head_dim", 32},
               {"qk_rope_head_dim", 16},
               {"v_head_dim", 64}});
  const std::string config = directory.file(mix + ".json");
  testing::value_of(write_file(config, dump_json(json)));
  RandomModelOptions options;
  options.mix = mix;
  testing::value_of(write_random_model(path, testing::value_of(find_config(config)), options));
  return path;
}

struct Case {
  const char* name;
  std::string model;  // a path, or "random " and a mix
  SpeculationMode mode;
  int64_t max_drafts;
  bool packed = false;
  int percent_right = -1;  // >= 0: the drafts are an oracle's that is right so often
};

std::vector<Case> cases() {
  return {{"lookup_1", stories(), SpeculationMode::kLookup, 1},
          {"lookup_7", stories(), SpeculationMode::kLookup, 7},
          {"auto_without_mtp", stories(), SpeculationMode::kAuto, 0},
          {"mtp_1", golden("deepseek_v3"), SpeculationMode::kMtp, 1},
          {"mtp_4", golden("deepseek_v3"), SpeculationMode::kMtp, 4},
          {"auto_with_mtp", golden("deepseek_v3"), SpeculationMode::kAuto, 0},
          {"lookup_on_mla", golden("deepseek_v3"), SpeculationMode::kLookup, 5},
          {"lookup_on_qwen3", golden("qwen3"), SpeculationMode::kLookup, 4},
          {"oracle_for_lookup", stories(), SpeculationMode::kLookup, 7, false, 80},
          {"oracle_for_mtp", golden("deepseek_v3"), SpeculationMode::kMtp, 4, false, 70},
          {"oracle_for_mtp_of_one", golden("deepseek_v3"), SpeculationMode::kMtp, 1, false, 90},
          {"oracle_without_fault", golden("qwen3"), SpeculationMode::kLookup, 5, false, 100},
          {"packed", stories_q8_0(), SpeculationMode::kLookup, 7, true, 80},
          {"packed_mtp_q8_0", "random q8_0", SpeculationMode::kMtp, 1, true},
          {"packed_mtp_q4_k", "random q4_k_m", SpeculationMode::kMtp, 3, true},
          {"oracle_for_packed_mtp_q8_0", "random q8_0", SpeculationMode::kMtp, 4, true, 70},
          {"oracle_for_packed_mtp_q4_k", "random q4_k_m", SpeculationMode::kMtp, 1, true, 90},
          {"packed_mla", golden("deepseek_v3_gguf_q8_0") + "/gguf/mainline_q8_0.gguf", SpeculationMode::kLookup, 7, true, 80}};
}

// What a caller sees of an answer, to be compared.
struct Seen {
  Tokens tokens;
  std::vector<float> logprobs;
  std::vector<bool> thought, marks;
  FinishReason reason = FinishReason::kStopToken;
  int64_t n_prompt = 0, n_reused = 0, n_answered = 0, n_thought = 0;
  bool operator==(const Seen&) const = default;
};

void PrintTo(const Seen& seen, std::ostream* out) {
  *out << finish_reason_name(seen.reason) << ", reused " << seen.n_reused << ", tokens "
       << fmt::format("{}", fmt::join(seen.tokens, " "));
}

using ControlAt = std::function<Control(size_t n_tokens)>;

struct Pair {
  std::unique_ptr<Model> model;
  ThreadPool pool{1};
  std::unique_ptr<Generator> plain, speculating;
  int64_t n_drafted = 0, n_accepted = 0;
  Tokens oracle;  // prompt and answer

  explicit Pair(const Case& value, int64_t context_tokens = 200, Isa isa = best_isa()) {
    Context context{&pool, isa};
    const std::string random = "random ";
    const bool is_random = value.model.starts_with(random);
    const std::string path = is_random ? random_deepseek_v3(value.model.substr(random.size())) : value.model;
    model = testing::value_of(Model::load(path, {.pack = value.packed ? &context : nullptr}));
    GeneratorOptions options{.context_tokens = context_tokens, .prefill_chunk = 8};
    plain = std::make_unique<Generator>(*model, context, options, model->config().vocab_size);
    options.speculation = {value.mode, value.max_drafts, one_second};
    if (value.percent_right >= 0) {
      options.speculation.edit_draft = [this, value](Tokens& draft, std::span<const TokenId> text, int64_t n) {
        draft.clear();
        for (size_t at = text.size(); at < text.size() + static_cast<size_t>(n) && at < oracle.size(); at++) {
          bool is_right = (at * 2654435761u >> 7) % 100 < static_cast<size_t>(value.percent_right);
          draft.push_back(is_right ? oracle[at] : (oracle[at] + 1) % 128);
        }
      };
    }
    speculating = std::make_unique<Generator>(*model, context, options, model->config().vocab_size);
  }

  static Seen run(Generator& generator, const GenerateRequest& request, const ControlAt& control, GenerateResult& result) {
    Seen seen;
    result = testing::value_of(generator.generate(request, [&](const GeneratedToken& token) {
      seen.tokens.push_back(token.sampled.token);
      seen.logprobs.push_back(token.sampled.logprob);
      for (const TokenLogprob& top : token.sampled.top) seen.logprobs.push_back(top.logprob);
      seen.thought.push_back(token.is_thought);
      seen.marks.push_back(token.is_mark);
      return control ? control(seen.tokens.size()) : Control::kContinue;
    }));
    seen.reason = result.reason;
    seen.n_prompt = result.n_prompt;
    seen.n_reused = result.n_reused;
    seen.n_answered = result.n_answered;
    seen.n_thought = result.n_thought;
    return seen;
  }

  Seen expect_same(const GenerateRequest& request, const std::string& what, const ControlAt& control = nullptr) {
    GenerateResult result;
    Seen expected = run(*plain, request, control, result);
    EXPECT_EQ(result.n_drafted, 0);
    EXPECT_EQ(result.speculation_gain, 0);
    oracle = request.prompt;
    oracle.insert(oracle.end(), expected.tokens.begin(), expected.tokens.end());
    Seen actual = run(*speculating, request, control, result);
    EXPECT_EQ(actual, expected) << what;
    EXPECT_LE(result.n_accepted, result.n_drafted) << what;
    n_drafted += result.n_drafted;
    n_accepted += result.n_accepted;
    return expected;
  }
};

GenerateRequest request(Tokens prompt, int64_t n_new, double temperature = 0) {
  GenerateRequest r;
  r.prompt = std::move(prompt);
  r.sampling.temperature = temperature;
  r.sampling.n_logprobs = 2;
  r.max_new_tokens = n_new;
  return r;
}

const Tokens kRepeating = {1, 40, 51, 62, 73, 84, 95, 40, 51, 62, 73, 84, 95, 40, 51, 62};

class Speculation : public ::testing::TestWithParam<Case> {};

TEST_P(Speculation, GreedyTokensAreTheSameOnEveryInstructionSet) {
  for (Isa isa : testing::isas_for_generation()) {
    Pair pair(GetParam(), 200, isa);
    const bool is_slow = isa == Isa::kRef && GetParam().packed;  // the definition is written to be short
    pair.expect_same(request(kRepeating, is_slow ? 40 : 120), std::string(isa_name(isa)));
    EXPECT_GT(pair.n_drafted, 0) << isa_name(isa);
    if (GetParam().percent_right >= 70) {
      EXPECT_GT(pair.n_accepted, is_slow ? 15 : 45) << isa_name(isa);
    }
  }
}

TEST_P(Speculation, SampledTokensAreTheSame) {
  Pair pair(GetParam());
  for (uint64_t seed = 0; seed < 6; seed++) {
    GenerateRequest r = request(kRepeating, 60, seed % 2 == 0 ? 0.7 : 1.3);
    r.sampling.seed = seed;
    r.sampling.top_p = seed < 3 ? 0.9 : 1.0;
    r.sampling.top_k = seed == 4 ? 5 : 0;
    pair.expect_same(r, fmt::format("seed {}", seed));
  }
  EXPECT_GT(pair.n_drafted, 0);
}

TEST_P(Speculation, BiasAndPenaltiesAreTheSame) {
  Pair pair(GetParam());
  Tokens free = pair.expect_same(request(kRepeating, 30), "free").tokens;
  for (double temperature : {0.0, 0.8}) {
    GenerateRequest r = request(kRepeating, 60, temperature);
    r.sampling.repetition_penalty = 1.2;
    pair.expect_same(r, "repetition");
    r.sampling.presence_penalty = 0.7;
    r.sampling.frequency_penalty = 0.3;
    pair.expect_same(r, "all penalties");
    r = request(kRepeating, 60, temperature);
    r.sampling.logit_bias = {{free[4], -100.0f}, {free[9], 2.0f}};
    pair.expect_same(r, "bias");
  }
}

TEST_P(Speculation, EveryEndIsTheSame) {
  Pair pair(GetParam(), 64);
  Tokens free = pair.expect_same(request(kRepeating, 40), "free").tokens;
  for (int64_t n = 0; n < 14; n++) pair.expect_same(request(kRepeating, n), fmt::format("length {}", n));
  for (size_t stop : {size_t{2}, size_t{11}, size_t{12}, size_t{13}, size_t{30}}) {
    GenerateRequest r = request(kRepeating, 40);
    r.stop_tokens = {free[stop]};
    pair.expect_same(r, fmt::format("stop token {}", stop));
    pair.expect_same(request(kRepeating, 40), "caller",
                     [&](size_t n) { return n == stop ? Control::kStop : Control::kContinue; });
  }
  Seen full = pair.expect_same(request(kRepeating, -1), "full");
  EXPECT_EQ(full.reason, FinishReason::kContextFull);
  EXPECT_EQ(full.tokens.size(), 64u - kRepeating.size() + 1);
}

TEST_P(Speculation, ThoughtsEndAtTheSamePlace) {
  Pair pair(GetParam());
  for (size_t end : {size_t{1}, size_t{5}, size_t{17}}) {
    GenerateRequest r = request(kRepeating, 50, 0.5);
    r.thought = {kRepeating.back(), 39};
    Seen seen = pair.expect_same(r, fmt::format("thought of {}", end),
                                 [&](size_t n) { return n == end ? Control::kEndThought : Control::kContinue; });
    EXPECT_EQ(seen.tokens.at(end), 39);
  }
}

TEST_P(Speculation, AConversationFindsTheSameCache) {
  Pair pair(GetParam());
  Tokens prompt = kRepeating;
  for (int turn = 0; turn < 4; turn++) {
    // An end in the midst of drafts must leave nothing of them behind.
    Seen seen = pair.expect_same(request(prompt, 40), fmt::format("turn {}", turn), [&](size_t n) {
      return n == static_cast<size_t>(9 + turn) ? Control::kStop : Control::kContinue;
    });
    EXPECT_EQ(seen.n_reused > 0, turn > 0);
    prompt.insert(prompt.end(), seen.tokens.begin(), seen.tokens.end() - turn % 2);
    for (TokenId token : {40, 51, 62}) prompt.push_back(token);
  }
}

std::string case_name(const ::testing::TestParamInfo<Case>& tested) { return tested.param.name; }

INSTANTIATE_TEST_SUITE_P(Drafters, Speculation, ::testing::ValuesIn(cases()), case_name);

TEST(SpeculationCases, TheModuleIsQuantisedAndPacked) {
  const Context context = {nullptr, best_isa()};
  for (auto [mix, dtype] : {std::pair("q8_0", DType::kQ8_0), std::pair("q4_k_m", DType::kQ4_K)}) {
    auto model = testing::value_of(Model::load(random_deepseek_v3(mix), {.pack = &context}));
    const MtpWeights& mtp = model->weights().mtp.at(0);
    for (const Weight* w :
         {&mtp.eh_proj.weight, &mtp.layer.attention.q_a_proj.weight, &mtp.layer.moe.experts.at(0).up_proj.weight}) {
      EXPECT_EQ(w->dtype, dtype);
      EXPECT_TRUE(w->is_packed);
    }
  }
}

TEST(SpeculationGain, ALoopIsMostlyAccepted) {
  Pair pair({"", stories(), SpeculationMode::kLookup, 7});
  GenerateRequest r = request({1, 403, 407, 261, 378}, 150);
  r.sampling.logit_bias = {{261, 60.0f}};  // nothing but this token, again and again
  GenerateResult result;
  Pair::run(*pair.speculating, r, nullptr, result);
  EXPECT_EQ(result.n_answered, 150);
  EXPECT_GT(result.n_accepted, 110);
  EXPECT_GT(result.speculation_gain, 3.0);
}

TEST(SpeculationGain, IsSwitchedOffWhenItDoesNotPay) {
  Case value{"", stories(), SpeculationMode::kLookup, 7};
  Pair pair(value, 500);
  GeneratorOptions options{.context_tokens = 500};
  options.speculation = {value.mode, value.max_drafts, [](int64_t n_rows) { return static_cast<double>(n_rows * n_rows); }};
  Generator expensive(*pair.model, Context{&pair.pool, best_isa()}, options, pair.model->config().vocab_size);
  GenerateRequest r = request({1, 403, 407, 261, 378}, 400);
  r.sampling.logit_bias = {{261, 60.0f}};
  GenerateResult cheap_result, result;
  Seen expected = Pair::run(*pair.speculating, r, nullptr, cheap_result);
  EXPECT_EQ(Pair::run(expensive, r, nullptr, result), expected);
  EXPECT_GT(cheap_result.n_drafted, 300);
  EXPECT_GT(result.n_drafted, 0);
  EXPECT_LT(result.n_drafted, 40);
  EXPECT_LT(result.speculation_gain, 1.0);
}

// Hidden states that wait for a draft are bounded; running them leaves one to draft from.
TEST(Speculator, CanDraftAfterALongRest) {
  testing::TemporaryDirectory directory;
  std::string path = directory.file("model");
  std::filesystem::copy(golden("deepseek_v3"), path, std::filesystem::copy_options::recursive);
  Json config = testing::value_of(read_json_file(path + "/config.json"));
  config["max_position_embeddings"] = 1024;
  testing::value_of(write_file(path + "/config.json", dump_json(config)));
  std::unique_ptr<Model> model = testing::value_of(Model::load(path));
  Tokens text;
  for (int i = 0; i < 400; i++) text.push_back(static_cast<TokenId>((i * i * 7 + 11) % 128));
  KvCache cache(model->config(), 640), other_cache(model->config(), 640);
  SequenceCache sequence, other_sequence;
  std::vector<float> logits, hidden;
  Batch batch{text, {{&sequence, 400, MlaForm::kAbsorbed}}, {}, &hidden};
  testing::value_of(model->forward(logits, batch, cache, Context{}));
  size_t dim = static_cast<size_t>(model->config().hidden_size);
  testing::value_of(other_cache.reserve(other_sequence, 600));
  Speculator speculator(*model, cache, Context{}, {SpeculationMode::kMtp, 1}, 128);
  speculator.see({text.data(), 1});
  for (size_t n = 1; n < text.size(); n++) {
    speculator.see({&text[n], 1});
    testing::value_of(speculator.add_hidden(std::span(hidden).subspan((n - 1) * dim, dim), sequence));
    if (n < 255 || n % 64 > 1) continue;
    MtpDrafter fresh(*model, other_cache, Context{}, 128);
    fresh.add(std::span(hidden).first(n * dim));
    Tokens expected, actual;
    testing::value_of(fresh.draft(expected, std::span(text).first(n + 1), other_sequence, 1));
    // The fresh one has run the naive form on many rows, so its rows are not the same bits; its choice is.
    testing::value_of(speculator.draft(actual, 1, sequence));
    EXPECT_EQ(actual, expected) << n;
  }
}

// However a text came about, by accepted and rejected drafts or in one prompt: the module of multi-token prediction sees the
// same rows and drafts the same.
TEST(MtpDrafter, DraftsDoNotDependOnHowTheTextCameAbout) {
  std::unique_ptr<Model> model = testing::value_of(Model::load(golden("deepseek_v3")));
  Tokens text;
  for (int i = 0; i < 40; i++) text.push_back(static_cast<TokenId>((i * i * 7 + 11) % 128));
  int64_t dim = model->config().hidden_size;
  // Text in calls of such sizes, each followed by wrong tokens that are taken back; drafts after every call.
  auto drafts = [&](const std::vector<size_t>& calls, size_t n_wrong, bool every_time) {
    KvCache cache(model->config(), 128);
    SequenceCache sequence;
    MtpDrafter drafter(*model, cache, Context{}, 128);
    std::vector<float> logits, hidden;
    Tokens draft;
    size_t start = 0;
    for (size_t n : calls) {
      Batch batch;
      batch.tokens.assign(text.begin() + static_cast<std::ptrdiff_t>(start),
                          text.begin() + static_cast<std::ptrdiff_t>(start + n));
      for (size_t i = 0; i < n_wrong; i++) batch.tokens.push_back(static_cast<TokenId>(100 + i));
      batch.sequences = {{&sequence, static_cast<int64_t>(n + n_wrong), MlaForm::kAbsorbed}};
      batch.hidden = &hidden;
      testing::value_of(model->forward(logits, batch, cache, Context{}));
      start += n;
      cache.truncate(sequence, static_cast<int64_t>(start));
      drafter.add(std::span(hidden).first(n * static_cast<size_t>(dim)));
      bool is_last = start + 1 == text.size();
      std::span<const TokenId> known = std::span(text).first(start + 1);
      if (!every_time && !is_last) continue;
      testing::value_of(drafter.draft(draft, known, sequence, 3));
    }
    EXPECT_EQ(start + 1, text.size());
    return draft;
  };
  Tokens expected = drafts({39}, 0, false);
  ASSERT_EQ(expected.size(), 3u);
  EXPECT_EQ(drafts({9, 1, 1, 4, 2, 1, 7, 1, 13}, 0, true), expected);
  EXPECT_EQ(drafts({9, 1, 1, 4, 2, 1, 7, 1, 13}, 3, true), expected);
  EXPECT_EQ(drafts(std::vector<size_t>(39, 1), 2, false), expected);
}

}  // namespace
}  // namespace minke
