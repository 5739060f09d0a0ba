// Knights always tell the truth, knaves always lie: who is a knight? A puzzle is kept when exactly one of all worlds fits what
// is said. The thought goes through the worlds, from all knights on, and leaves each at the first speaker who does not fit.
#include <algorithm>
#include <array>

#include "tasks/korean.h"
#include "tasks/problems/people.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int kHardestKnights = 3;  // 2..4 people

// What somebody says. "knight", "knave": of person a. "same", "different": a and b are of one kind or not. "count": a people
// are knights.
struct Statement {
  std::string kind;
  int64_t a = 0, b = 0;
};

struct Puzzle {
  std::vector<int64_t> people;        // indices of kPeople; statements name people by their place here
  std::vector<Statement> statements;  // one of each person

  int64_t n_people() const { return static_cast<int64_t>(people.size()); }
};

// Who is a knight.
using World = std::vector<bool>;

World world_of(int64_t number, int64_t n_people) {
  World world;
  for (int64_t i = n_people - 1; i >= 0; --i) world.push_back((number >> i & 1) == 0);
  return world;
}

bool is_true(const Statement& said, const World& world) {
  const auto is_knight = [&](int64_t person) { return world[static_cast<size_t>(person)]; };
  if (said.kind == "knight") return is_knight(said.a);
  if (said.kind == "knave") return !is_knight(said.a);
  if (said.kind == "count") return std::count(world.begin(), world.end(), true) == said.a;
  return (is_knight(said.a) == is_knight(said.b)) == (said.kind == "same");
}

bool fits(const Puzzle& puzzle, const World& world) {
  for (size_t i = 0; i < world.size(); ++i) {
    if (is_true(puzzle.statements[i], world) != world[i]) return false;
  }
  return true;
}

int64_t n_solutions(const Puzzle& puzzle) {
  int64_t n = 0;
  for (int64_t number = 0; number < int64_t{1} << puzzle.n_people(); ++number) {
    n += fits(puzzle, world_of(number, puzzle.n_people()));
  }
  return n;
}

Statement draw_statement(Draws& draws, int64_t speaker, int64_t n_people) {
  static constexpr std::array<const char*, 6> kKinds = {"knight", "knave", "knave", "same", "different", "count"};
  Statement said{.kind = draws.pick(kKinds)};
  if (said.kind == "count") {
    said.a = draws.between(0, n_people - 1);
    return said;
  }
  const bool is_of_two = said.kind == "same" || said.kind == "different";
  said.a = draws.below(n_people - 1);
  if (said.a >= speaker) ++said.a;  // of another person
  if (is_of_two) said.b = (said.a + draws.between(1, n_people - 1)) % n_people;
  if (is_of_two && said.b < said.a) std::swap(said.a, said.b);
  return said;
}

Puzzle puzzle_of(const nlohmann::json& facts) {
  Puzzle puzzle{.people = facts.at("people"), .statements = {}};
  for (const auto& entry : facts.at("statements")) puzzle.statements.push_back({entry.at(0), entry.at(1), entry.at(2)});
  return puzzle;
}

class Teller {
 public:
  Teller(const Puzzle& puzzle, Tongue tongue) : puzzle_(puzzle), tongue_(tongue) {}

  std::string name(int64_t place) const {
    return kPeople[static_cast<size_t>(puzzle_.people[static_cast<size_t>(place)])].in(tongue_);
  }

  std::string names() const {
    std::vector<std::string> all;
    for (int64_t i = 0; i < puzzle_.n_people(); ++i) all.push_back(name(i));
    return fmt::format("{}", fmt::join(all, ", "));
  }

  std::string says(int64_t speaker) const {
    const Statement& said = puzzle_.statements[static_cast<size_t>(speaker)];
    if (tongue_ == Tongue::kKorean) return fmt::format("{}: \"{}.\"", name(speaker), korean(said, speaker));
    return fmt::format("{}: \"{}.\"", name(speaker), english(said, speaker));
  }

  // "KNK: Ann T, Bob F no": the truth of what each says, up to the first who does not fit.
  std::string examine(const World& world) const {
    const Words knight = {"K", "기"}, knave = {"N", "건"}, truth = {"T", "참"}, lie = {"F", "거짓"}, misfit = {" no", " 모순"};
    std::string text;
    for (bool is_knight : world) text += (is_knight ? knight : knave).in(tongue_);
    for (size_t i = 0; i < world.size(); ++i) {
      const bool holds = is_true(puzzle_.statements[i], world);
      text += fmt::format("{} {} {}", i == 0 ? ":" : ",", name(static_cast<int64_t>(i)), (holds ? truth : lie).in(tongue_));
      if (holds != world[i]) return text + misfit.in(tongue_);
    }
    return text;
  }

  std::string knights(const World& world) const {
    std::vector<std::string> found;
    for (size_t i = 0; i < world.size(); ++i) {
      if (world[i]) found.push_back(name(static_cast<int64_t>(i)));
    }
    return found.empty() ? Words{"none", "없음"}.in(tongue_) : fmt::format("{}", fmt::join(found, ", "));
  }

 private:
  std::string english(const Statement& said, int64_t speaker) const {
    if (said.kind == "knight" || said.kind == "knave") return fmt::format("{} is a {}", name(said.a), said.kind);
    if (said.kind == "count") {
      return said.a == 0
                 ? "None of us is a knight"
                 : fmt::format("Exactly {} of us {} knight{}", said.a, said.a == 1 ? "is a" : "are", said.a == 1 ? "" : "s");
    }
    const bool has_self = said.a == speaker || said.b == speaker;
    const std::string pair =
        has_self ? name(said.a == speaker ? said.b : said.a) + " and I" : name(said.a) + " and " + name(said.b);
    return fmt::format("{} are of {}", pair, said.kind == "same" ? "the same kind" : "different kinds");
  }

  std::string korean(const Statement& said, int64_t speaker) const {
    if (said.kind == "knight" || said.kind == "knave") {
      return fmt::format("{} {}", with_particle(name(said.a), Particle::kTopic), said.kind == "knight" ? "기사다" : "건달이다");
    }
    if (said.kind == "count")
      return said.a == 0 ? "우리 가운데 기사는 없다" : fmt::format("우리 가운데 기사는 꼭 {}명이다", said.a);
    const bool has_self = said.a == speaker || said.b == speaker;
    const std::string pair =
        has_self ? "나와 " + with_particle(name(said.a == speaker ? said.b : said.a), Particle::kTopic)
                 : with_particle(name(said.a), Particle::kAnd) + " " + with_particle(name(said.b), Particle::kTopic);
    return fmt::format("{} {}", pair, said.kind == "same" ? "같은 부류다" : "서로 다른 부류다");
  }

  const Puzzle& puzzle_;
  Tongue tongue_;
};

class KnightsAndKnaves final : public ProceduralTask {
 public:
  std::string_view name() const override { return "knights_and_knaves"; }
  int max_difficulty() const override { return kHardestKnights; }
  std::string describe(int difficulty) const override {
    return fmt::format("{} people, one statement of each", difficulty + 1);
  }

  // The names in any order, each once.
  double grade(const Problem& problem, std::string_view content) const override {
    std::vector<std::string> given = list_items(final_answer(content));
    std::vector<std::string> right = list_items(problem.facts.at("result").get_ref<const std::string&>());
    std::sort(given.begin(), given.end());
    std::sort(right.begin(), right.end());
    return given == right ? 1 : 0;
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    const int64_t n = difficulty + 1;
    Puzzle puzzle{.people = draw_some(draws, static_cast<size_t>(n), kPeople.size()), .statements = {}};
    Facts statements = Facts::array();
    for (int64_t i = 0; i < n; ++i) {
      const Statement said = draw_statement(draws, i, n);
      puzzle.statements.push_back(said);
      statements.push_back(Facts::array({said.kind, said.a, said.b}));
    }
    if (n_solutions(puzzle) != 1) return std::nullopt;
    return Facts{{"people", puzzle.people}, {"statements", std::move(statements)}};
  }

  // Who says what of whom; the order of speakers does not matter.
  std::string canonical(const Facts& facts) const override {
    const Puzzle puzzle = puzzle_of(facts);
    const auto person = [&](int64_t place) { return puzzle.people[static_cast<size_t>(place)]; };
    std::vector<std::string> texts;
    for (size_t i = 0; i < puzzle.people.size(); ++i) {
      const Statement& said = puzzle.statements[i];
      std::string about = fmt::format("{}", said.a);
      if (said.kind == "knight" || said.kind == "knave") about = fmt::format("{}", person(said.a));
      if (said.kind == "same" || said.kind == "different") {
        about = fmt::format("{},{}", std::min(person(said.a), person(said.b)), std::max(person(said.a), person(said.b)));
      }
      texts.push_back(fmt::format("{} {} {}", puzzle.people[i], said.kind, about));
    }
    std::sort(texts.begin(), texts.end());
    return fmt::format("{}", fmt::join(texts, ";"));
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    static constexpr std::array<Words, 3> kWays = {{
        {"Knights always tell the truth, knaves always lie. {0} Who are the knights? Reply as \"Answer: names with commas\", "
         "or none.",
         "기사는 언제나 참말을 하고 건달은 언제나 거짓말을 한다. {0} 기사는 누구인가요? \"답: 쉼표로 나눈 이름\"으로, 없으면 "
         "없음으로 답하세요."},
        {"{1} are knights, who only say true things, or knaves, who only say false things. {0} Name the knights. Reply as "
         "\"Answer: names with commas\", or none.",
         "{1} 가운데 기사는 참말만 하고 건달은 거짓말만 한다. {0} 기사의 이름을 말하세요. \"답: 쉼표로 나눈 이름\"으로, 없으면 "
         "없음으로 답하세요."},
        {"On an island knights tell the truth and knaves lie. {0} Which of them are knights? Reply as \"Answer: names with "
         "commas\", or none.",
         "어느 섬에서 기사는 늘 참말을, 건달은 늘 거짓말을 한다. {0} 이 가운데 누가 기사인가요? \"답: 쉼표로 나눈 이름\"으로, "
         "없으면 "
         "없음으로 답하세요."},
    }};
    const Puzzle puzzle = puzzle_of(facts);
    const Teller teller(puzzle, tongue);
    std::vector<std::string> said;
    for (int64_t i = 0; i < puzzle.n_people(); ++i) said.push_back(teller.says(i));
    const Words opening = {"Try every case, K knight, N knave.", "기사(기)와 건달(건)의 경우를 하나씩 따진다."};
    Telling out;
    out.question = phrase(draws, tongue, kWays, fmt::format("{}", fmt::join(said, " ")), teller.names());
    out.thought = opening.in(tongue);
    for (int64_t number = 0; out.result.empty(); ++number) {
      const World world = world_of(number, puzzle.n_people());
      out.thought += "\n" + teller.examine(world);
      if (fits(puzzle, world)) out.result = teller.knights(world);
    }
    return out;
  }
};

}  // namespace

const Task& knights_and_knaves() {
  static const KnightsAndKnaves task;
  return task;
}

}  // namespace minke
