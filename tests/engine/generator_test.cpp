// The generator on tiny random checkpoints: what matters here is bookkeeping, not the text.
#include "engine/generator.h"

#include "support/support.h"

namespace minke {
namespace {

struct Fixture {
  std::unique_ptr<Model> model;
  ThreadPool pool{2};
  Context context{&pool, best_isa()};

  explicit Fixture(const std::string& name = "deepseek_v3")
      : model(testing::value_of(Model::load(testing::repository_path("tests/goldens/models/" + name)))) {}
  Generator generator(GeneratorOptions options = {.context_tokens = 128, .prefill_chunk = 512, .mla = MlaForm::kNaive}) {
    return Generator(*model, context, options, model->config().vocab_size);
  }
};

GenerateRequest request(std::vector<TokenId> prompt, int64_t n_new) {
  GenerateRequest r;
  r.prompt = std::move(prompt);
  r.sampling.temperature = 0.0;
  r.max_new_tokens = n_new;
  return r;
}

struct Spoken {
  GenerateResult result;
  std::vector<TokenId> tokens;
  std::vector<GeneratedToken> all;
};

Spoken outcome_of(Generator& generator, const GenerateRequest& r,
                   const std::function<Control(const GeneratedToken&)>& control = nullptr) {
  Spoken out;
  out.result = testing::value_of(generator.generate(r, [&](const GeneratedToken& token) {
    out.tokens.push_back(token.sampled.token);
    out.all.push_back(token);
    return control ? control(token) : Control::kContinue;
  }));
  return out;
}

const std::vector<TokenId> kPrompt = {3, 14, 15, 92, 65, 35, 89, 79, 32, 38};

TEST(Generator, ChunksOfThePromptChangeNothing) {
  Fixture f;
  Generator whole = f.generator();
  Generator cut = f.generator({.context_tokens = 128, .prefill_chunk = 3, .mla = MlaForm::kNaive});
  EXPECT_EQ(outcome_of(whole, request(kPrompt, 20)).tokens, outcome_of(cut, request(kPrompt, 20)).tokens);
}

TEST(Generator, AConversationReusesItsPrefixAndGivesTheSameTokens) {
  Fixture f;
  Generator generator = f.generator();
  Spoken first = outcome_of(generator, request(kPrompt, 10));
  EXPECT_EQ(first.result.n_reused, 0);
  std::vector<TokenId> longer = kPrompt;
  longer.insert(longer.end(), first.tokens.begin(), first.tokens.begin() + 5);
  longer.push_back(7);
  Spoken second = outcome_of(generator, request(longer, 10));
  EXPECT_EQ(second.result.n_reused, 15);
  Generator fresh = f.generator();
  EXPECT_EQ(second.tokens, outcome_of(fresh, request(longer, 10)).tokens);
  // The same prompt again: all but its last token is there.
  EXPECT_EQ(outcome_of(generator, request(longer, 1)).result.n_reused, static_cast<int64_t>(longer.size()) - 1);
}

TEST(Generator, StopsAtLengthStopTokenAndCaller) {
  Fixture f;
  Generator generator = f.generator();
  Spoken free = outcome_of(generator, request(kPrompt, 8));
  EXPECT_EQ(free.result.reason, FinishReason::kLength);
  EXPECT_EQ(free.tokens.size(), 8u);
  GenerateRequest stopping = request(kPrompt, 8);
  stopping.stop_tokens = {free.tokens[3]};
  Spoken stopped = outcome_of(generator, stopping);
  EXPECT_EQ(stopped.result.reason, FinishReason::kStopToken);
  size_t first = static_cast<size_t>(std::find(free.tokens.begin(), free.tokens.end(), free.tokens[3]) - free.tokens.begin());
  EXPECT_EQ(stopped.tokens.size(), first + 1);
  EXPECT_TRUE(stopped.all.back().is_mark);
  Spoken cut = outcome_of(generator, request(kPrompt, 8), [](const GeneratedToken&) { return Control::kStop; });
  EXPECT_EQ(cut.result.reason, FinishReason::kStopped);
  EXPECT_EQ(cut.tokens.size(), 1u);
  EXPECT_EQ(outcome_of(generator, request(kPrompt, 0)).tokens.size(), 0u);
}

TEST(Generator, AFullContextIsAReasonNotAnError) {
  Fixture f;
  Generator generator = f.generator({.context_tokens = 16, .prefill_chunk = 512, .mla = MlaForm::kNaive});
  Spoken full = outcome_of(generator, request(kPrompt, -1));
  EXPECT_EQ(full.result.reason, FinishReason::kContextFull);
  EXPECT_EQ(full.tokens.size(), 7u);  // 6 fit behind the prompt, the last one is drawn but has no room
}

TEST(Generator, RefusesWhatCannotRun) {
  Fixture f;
  Generator generator = f.generator({.context_tokens = 8, .prefill_chunk = 512, .mla = MlaForm::kNaive});
  auto ignore = [](const GeneratedToken&) { return Control::kContinue; };
  EXPECT_ERROR(generator.generate(request(kPrompt, 1), ignore), "the prompt has 10 tokens, the context holds 8");
  EXPECT_ERROR(generator.generate(request({}, 1), ignore), "no tokens");
  EXPECT_ERROR(generator.generate(request({5000}, 1), ignore), "token 5000");
  EXPECT_ERROR(generator.generate(request({-1}, 1), ignore), "token -1");
  // And goes on working.
  EXPECT_EQ(outcome_of(generator, request({1, 2}, 3)).tokens.size(), 3u);
}

TEST(Generator, APromptCanBeInterrupted) {
  Fixture f;
  Generator generator = f.generator({.context_tokens = 128, .prefill_chunk = 2, .mla = MlaForm::kNaive});
  int n_calls = 0;
  auto result = testing::value_of(generator.generate(
      request(kPrompt, 5), [](const GeneratedToken&) { return Control::kContinue; },
      [&](int64_t, int64_t) { return ++n_calls < 3; }));
  EXPECT_EQ(result.reason, FinishReason::kStopped);
  EXPECT_EQ(result.n_answered, 0);
  Generator fresh = f.generator();
  EXPECT_EQ(outcome_of(generator, request(kPrompt, 5)).tokens, outcome_of(fresh, request(kPrompt, 5)).tokens);
}

TEST(Generator, TellsThoughtFromAnswerByTokenId) {
  Fixture f;
  Generator generator = f.generator();
  Spoken free = outcome_of(generator, request(kPrompt, 12));
  // Any two tokens that the model happens to say can play the tags.
  GenerateRequest r = request(kPrompt, 12);
  r.thought = {free.tokens[2], 127};
  Spoken thinking = outcome_of(generator, r);
  ASSERT_EQ(thinking.tokens, free.tokens);
  size_t open = static_cast<size_t>(std::find(free.tokens.begin(), free.tokens.end(), free.tokens[2]) - free.tokens.begin());
  for (size_t i = 0; i < thinking.all.size(); i++) {
    EXPECT_EQ(thinking.all[i].is_thought, i >= open) << i;
    EXPECT_EQ(thinking.all[i].is_mark, i == open) << i;
  }
  // A prompt that ends in an open thought starts inside it; ending the thought inserts the closing tag and goes on.
  r.thought = {kPrompt.back(), 127};
  Spoken closed = outcome_of(generator, r, [](const GeneratedToken&) { return Control::kEndThought; });
  EXPECT_TRUE(closed.all[0].is_thought);
  EXPECT_EQ(closed.tokens[1], 127);
  EXPECT_TRUE(closed.all[1].is_mark);
  EXPECT_FALSE(closed.all[2].is_thought);
  EXPECT_EQ(closed.result.n_thought, 2);
  EXPECT_EQ(closed.result.reason, FinishReason::kLength);
}

}  // namespace
}  // namespace minke
