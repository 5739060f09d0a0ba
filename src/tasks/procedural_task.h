// What all procedural tasks share: seeds, the division into splits, the form of an answer.
//
// The split of a problem is a property of its content: the hash of what is asked, apart from language, wording and order,
// gives one problem in eight to eval and the rest to train. A draw that falls into the other split is drawn again. So no
// training seed can ever make an eval problem. Small spaces are divided all the same: of the hundred one-digit
// additions a dozen belong to eval, which then repeats those instead of borrowing from training.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tasks/random.h"
#include "tasks/task.h"

namespace minke {

// A problem in words.
struct Telling {
  std::string question;
  std::string thought;
  std::string result;  // what follows "Answer: "
};

class ProceduralTask : public Task {
 public:
  Problem make(const Problems& of, int64_t index) const final;
  // Exactly the result, a full stop after it allowed. Tasks with many right answers override this.
  double grade(const Problem& problem, std::string_view content) const override;

 protected:
  using Facts = nlohmann::json;

  // What a problem is about, apart from language and wording; nullopt where the draw gave nothing worth asking.
  virtual std::optional<Facts> draw(Draws& draws, int difficulty) const = 0;
  // One text for all facts that are the same problem.
  virtual std::string canonical(const Facts& facts) const { return facts.dump(); }
  virtual Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const = 0;
};

Split split_of(std::string_view task, std::string_view canonical);

// "Answer: 42", "답: 42".
std::string answer_line(Tongue tongue, std::string_view result);

// A text in both languages.
struct Words {
  const char* english;
  const char* korean;

  const char* in(Tongue tongue) const { return tongue == Tongue::kKorean ? korean : english; }
};

// One of several ways to ask, filled in; numbered placeholders let a language choose its order.
template <typename... Args>
std::string phrase(Draws& draws, Tongue tongue, std::span<const Words> ways, const Args&... args) {
  return fmt::format(fmt::runtime(draws.pick(ways).in(tongue)), args...);
}

}  // namespace minke
