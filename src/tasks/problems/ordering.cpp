// Who is taller, older, faster, heavier: comparisons of neighbours in a hidden order, and a question for one place of it. The
// neighbours fix the whole order, so there is one answer. The thought takes whoever is below nobody, again and again.
#include <algorithm>
#include <array>

#include "tasks/korean.h"
#include "tasks/problems/people.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int kHardestOrdering = 4;  // 3..6 people
constexpr int kExtraClueFrom = 3;  // the difficulty from which one clue is not about neighbours

struct Attribute {
  Words more, less;            // "taller"; "키가 크다"
  Words most, least;           // "the tallest"; "키가 가장 큰 사람"
  const char* korean_subject;  // "키가" ... "두 번째로" ...
  const char* korean_of_rank;  // "큰"
  const char* english_of_rank;
};
constexpr std::array<Attribute, 4> kAttributes = {{
    {{"taller", "키가 크다"},
     {"shorter", "키가 작다"},
     {"the tallest", "키가 가장 큰"},
     {"the shortest", "키가 가장 작은"},
     "키가",
     "큰",
     "tallest"},
    {{"older", "나이가 많다"},
     {"younger", "나이가 적다"},
     {"the oldest", "나이가 가장 많은"},
     {"the youngest", "나이가 가장 적은"},
     "나이가",
     "많은",
     "oldest"},
    {{"faster", "걸음이 빠르다"},
     {"slower", "걸음이 느리다"},
     {"the fastest", "걸음이 가장 빠른"},
     {"the slowest", "걸음이 가장 느린"},
     "걸음이",
     "빠른",
     "fastest"},
    {{"heavier", "몸무게가 무겁다"},
     {"lighter", "몸무게가 가볍다"},
     {"the heaviest", "몸무게가 가장 무거운"},
     {"the lightest", "몸무게가 가장 가벼운"},
     "몸무게가",
     "무거운",
     "heaviest"},
}};
constexpr std::array<Words, 5> kRanks = {{{"first", "첫 번째로"},
                                          {"second", "두 번째로"},
                                          {"third", "세 번째로"},
                                          {"fourth", "네 번째로"},
                                          {"fifth", "다섯 번째로"}}};

struct Clue {
  int64_t above, below;  // indices of kPeople
  bool is_reversed;      // told from below: "B is shorter than A"
};

struct Puzzle {
  size_t n_people = 0;
  std::vector<Clue> clues = {};
  size_t rank = 0;  // 0 is the most
  Attribute attribute;
};

Puzzle puzzle_of(const nlohmann::json& facts) {
  Puzzle puzzle{.n_people = facts.at("people").size(),
                .rank = facts.at("rank"),
                .attribute = kAttributes[facts.at("attribute").get<size_t>()]};
  for (const auto& clue : facts.at("clues")) puzzle.clues.push_back({clue.at(0), clue.at(1), clue.at(2)});
  return puzzle;
}

std::string name_of(int64_t person, Tongue tongue) { return kPeople[static_cast<size_t>(person)].in(tongue); }

std::string clue_text(const Clue& clue, const Attribute& attribute, Tongue tongue) {
  const std::string first = name_of(clue.is_reversed ? clue.below : clue.above, tongue);
  const std::string second = name_of(clue.is_reversed ? clue.above : clue.below, tongue);
  const char* relation = (clue.is_reversed ? attribute.less : attribute.more).in(tongue);
  if (tongue == Tongue::kKorean) return fmt::format("{} {}보다 {}.", with_particle(first, Particle::kTopic), second, relation);
  return fmt::format("{} is {} than {}.", first, relation, second);
}

// "the second tallest", "키가 두 번째로 큰".
std::string rank_text(const Puzzle& puzzle, Tongue tongue) {
  if (puzzle.rank == 0) return puzzle.attribute.most.in(tongue);
  if (puzzle.rank + 1 == puzzle.n_people) return puzzle.attribute.least.in(tongue);
  const char* rank = kRanks[puzzle.rank].in(tongue);
  if (tongue == Tongue::kKorean) {
    return fmt::format("{} {} {}", puzzle.attribute.korean_subject, rank, puzzle.attribute.korean_of_rank);
  }
  return fmt::format("the {} {}", rank, puzzle.attribute.english_of_rank);
}

// Takes the top of what is left until the asked rank is reached; that person is left in `found`.
std::string eliminate(const Puzzle& puzzle, Tongue tongue, int64_t* found) {
  const Words opening = {"Take whoever is below nobody.", "누구보다도 아래가 아닌 사람을 차례로 고른다."},
              below = {"below", "아래"};
  std::string text = fmt::format("{}\n", opening.in(tongue));
  std::vector<int64_t> left;  // in the order of the clues
  const auto note = [](std::vector<int64_t>& people, int64_t person) {
    if (std::find(people.begin(), people.end(), person) == people.end()) people.push_back(person);
  };
  for (const Clue& clue : puzzle.clues) {
    text += fmt::format("{}{}>{}", left.empty() ? "" : " ", name_of(clue.above, tongue), name_of(clue.below, tongue));
    note(left, clue.above);
    note(left, clue.below);
  }
  std::vector<Clue> clues = puzzle.clues;
  for (size_t rank = 0; rank <= puzzle.rank; ++rank) {
    std::vector<int64_t> lower;
    for (const Clue& clue : clues) note(lower, clue.below);
    const auto top = std::find_if(left.begin(), left.end(),
                                  [&](int64_t person) { return std::find(lower.begin(), lower.end(), person) == lower.end(); });
    text += '\n';
    if (!lower.empty()) {
      text += fmt::format("{}:", below.in(tongue));
      for (int64_t person : lower) text += " " + name_of(person, tongue);
      text += ", ";
    }
    *found = *top;
    text += fmt::format("{}: {}", rank + 1, name_of(*found, tongue));
    std::erase_if(clues, [&](const Clue& clue) { return clue.above == *found; });
    left.erase(top);
  }
  return text;
}

class Ordering final : public ProceduralTask {
 public:
  std::string_view name() const override { return "ordering"; }
  int max_difficulty() const override { return kHardestOrdering; }
  std::string describe(int difficulty) const override {
    return fmt::format("{} people, {} comparisons", difficulty + 2, difficulty + 1 + (difficulty >= kExtraClueFrom ? 1 : 0));
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    const size_t n = static_cast<size_t>(difficulty) + 2;
    const std::vector<int64_t> order = draw_some(draws, n, kPeople.size());
    std::vector<Facts> clues;
    const auto tell_clue = [&](size_t above, size_t below) {
      clues.push_back(Facts::array({order[above], order[below], draws.one_in(2)}));
    };
    for (size_t i = 0; i + 1 < n; ++i) tell_clue(i, i + 1);
    if (difficulty >= kExtraClueFrom) {
      const size_t above = static_cast<size_t>(draws.below(static_cast<int64_t>(n) - 2));
      tell_clue(above, static_cast<size_t>(draws.between(static_cast<int64_t>(above) + 2, static_cast<int64_t>(n) - 1)));
    }
    draws.shuffle(clues);
    std::vector<int64_t> people = order;
    std::sort(people.begin(), people.end());
    const int64_t rank = draws.below(static_cast<int64_t>(n));
    const int64_t attribute = draws.below(static_cast<int64_t>(kAttributes.size()));
    return Facts{{"people", people}, {"clues", clues}, {"rank", rank}, {"attribute", attribute}};
  }

  // The order of clues, their direction and what is compared do not matter.
  std::string canonical(const Facts& facts) const override {
    const Puzzle puzzle = puzzle_of(facts);
    std::vector<std::string> clues;
    for (const Clue& clue : puzzle.clues) clues.push_back(fmt::format("{}>{}", clue.above, clue.below));
    std::sort(clues.begin(), clues.end());
    return fmt::format("{} {}", fmt::join(clues, " "), puzzle.rank);
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    static constexpr std::array<Words, 3> kWays = {{
        {"{0} Who is {1}? Reply as \"Answer: name\".", "{0} {1} 사람은 누구인가요? \"답: 이름\"으로 답하세요."},
        {"{0} Which of them is {1}? Reply as \"Answer: name\".",
         "{0} 이 가운데 {1} 사람은 누구인가요? \"답: 이름\"으로 답하세요."},
        {"{0} Name the one who is {1}. Reply as \"Answer: name\".",
         "{0} {1} 사람의 이름을 말하세요. \"답: 이름\"으로 답하세요."},
    }};
    const Puzzle puzzle = puzzle_of(facts);
    std::vector<std::string> clues;
    for (const Clue& clue : puzzle.clues) clues.push_back(clue_text(clue, puzzle.attribute, tongue));
    Telling out;
    out.question = phrase(draws, tongue, kWays, fmt::format("{}", fmt::join(clues, " ")), rank_text(puzzle, tongue));
    int64_t found = 0;
    out.thought = eliminate(puzzle, tongue, &found);
    out.result = name_of(found, tongue);
    return out;
  }
};

}  // namespace

const Task& ordering() {
  static const Ordering task;
  return task;
}

}  // namespace minke
