// A generated token allocates nothing: what a step needs is kept from the steps before, or was reserved with the cache.
//
// malloc and its relatives of glibc are wrapped for the whole program, so that operator new, the arena and everything in
// between is seen, on every thread. Sanitizers bring allocators of their own: under them these tests do not run.
#include <atomic>
#include <cstdlib>

#include "engine/generator.h"
#include "support/sanitized.h"
#include "support/support.h"

#if defined(__GLIBC__) && !defined(MINKE_SANITIZED)

namespace {
std::atomic<int64_t> n_allocations{0};
void count() { n_allocations.fetch_add(1, std::memory_order_relaxed); }
}  // namespace

extern "C" {
void* __libc_malloc(size_t n_bytes);
void* __libc_calloc(size_t n, size_t n_bytes);
void* __libc_realloc(void* p, size_t n_bytes);
void* __libc_memalign(size_t alignment, size_t n_bytes);

void* malloc(size_t n_bytes) {
  count();
  return __libc_malloc(n_bytes);
}
void* calloc(size_t n, size_t n_bytes) {
  count();
  return __libc_calloc(n, n_bytes);
}
void* realloc(void* p, size_t n_bytes) {
  count();
  return __libc_realloc(p, n_bytes);
}
void* aligned_alloc(size_t alignment, size_t n_bytes) {
  count();
  return __libc_memalign(alignment, n_bytes);
}
}

namespace minke {
namespace {

struct Case {
  const char* name;
  std::string model;
  bool packed = false;
  SpeculationMode mode = SpeculationMode::kOff;
};

std::vector<Case> cases() {
  auto stories = [](const char* file) { return testing::repository_path("tests/data/models/stories260K/") + file; };
  auto golden = [](const char* name) { return testing::repository_path("tests/goldens/models/") + name; };
  const std::string q8_0 = stories("gguf/stories260K-q8_0.gguf");
  const std::string mla_q8_0 = golden("deepseek_v3_gguf_q8_0/gguf/mainline_q8_0.gguf");
  return {{"f32", stories("hf")},
          {"q8_0_decoded", q8_0},
          {"q8_0_packed", q8_0, true},
          {"mixture_with_mla", golden("deepseek_v3")},
          {"mixture_with_mla_packed", mla_q8_0, true},
          {"lookup", stories("hf"), false, SpeculationMode::kLookup},
          {"lookup_packed", mla_q8_0, true, SpeculationMode::kLookup},
          {"mtp", golden("deepseek_v3"), false, SpeculationMode::kMtp}};
}

class Allocations : public ::testing::TestWithParam<Case> {};

// Allocations from the 20th token of an answer to its 60th. The prompt is short enough for a page of the cache to begin there.
void expect_none(Generator& generator, const SamplingOptions& sampling, bool drafts, const std::string& what) {
  GenerateRequest request;
  for (TokenId token : {1, 40, 51, 62, 73, 84, 40, 51, 62, 73, 84, 40, 51}) request.prompt.push_back(token);
  request.sampling = sampling;
  request.max_new_tokens = 70;
  int64_t n_tokens = 0, before = -1, after = -1;
  GenerateResult result = testing::value_of(generator.generate(request, [&](const GeneratedToken&) {
    n_tokens++;
    if (n_tokens == 20) before = n_allocations.load();
    if (n_tokens == 60) after = n_allocations.load();
    return Control::kContinue;
  }));
  ASSERT_EQ(n_tokens, 70);
  EXPECT_GT(before, 0) << "nothing was counted";
  EXPECT_EQ(after - before, 0) << what;
  EXPECT_EQ(result.n_drafted > 0, drafts) << what;
}

TEST_P(Allocations, ATokenNeedsNone) {
  const Case& value = GetParam();
  ThreadPool pool(2);
  for (Isa isa : available_isas()) {
    if (isa == Isa::kRef) continue;  // the definition is written to be short
    const Context context{&pool, isa};
    auto model = testing::value_of(Model::load(value.model, {.pack = value.packed ? &context : nullptr}));
    GeneratorOptions options{.context_tokens = 128};
    // Every step costs the same, however many rows it has: what is drafted does not depend on the machine's moods.
    options.speculation = {.mode = value.mode, .step_seconds = [](int64_t) { return 1.0; }};
    // Random text gives lookup no idea.
    options.speculation.edit_draft = [](std::vector<TokenId>& draft, std::span<const TokenId> text, int64_t n) {
      if (draft.empty()) draft.resize(static_cast<size_t>(n), text.back());
    };
    auto expect = [&](const SamplingOptions& sampling, const std::string& what) {
      Generator generator(*model, context, options, model->config().vocab_size);
      expect_none(generator, sampling, value.mode != SpeculationMode::kOff, fmt::format("{}, {}", what, isa_name(isa)));
    };
    expect({.temperature = 0}, "greedy");
    expect({.temperature = 0.8}, "sampled");
    expect({.temperature = 1.5, .top_k = 40, .min_p = 0.01, .repetition_penalty = 1.1, .n_logprobs = 3}, "with all filters");
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, Allocations, ::testing::ValuesIn(cases()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace minke

#endif
