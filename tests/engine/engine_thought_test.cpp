// The engine knows where a thought is.
#include "engine/engine.h"
#include "engine_fixture.h"

namespace minke {
namespace {

using namespace testing;

TEST(EngineThought, SaysWhatIsThought) {
  EngineFixture f;
  std::unique_ptr<Engine> engine = f.engine({});
  EngineRequest r = request({1, 60, 3}, 6, 1);
  r.thought = {60, 7};
  r.guide = [&](int) { return std::make_unique<EvenGuide>(f.model->config().vocab_size); };
  value_of(engine->submit(r));
  std::string seen;
  run(*engine, [&](const EngineToken& token) {
    seen += token.place.is_mark ? 'm' : token.place.is_thought ? 't' : 'a';
    return true;
  });
  EXPECT_EQ(seen, "ttmaaa");
}

}  // namespace
}  // namespace minke
