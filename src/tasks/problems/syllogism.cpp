// Does the conclusion follow from the premises? Statements of the forms all, no, some, some-not over three or four kinds.
//
// A type says of which kinds a thing is: "AbC" is of A and C, not of B. A universal statement forbids types; an existential one
// wants a thing of one of its types. A universal conclusion follows when the premises forbid all that it forbids; an
// existential one follows when all types that some existential premise leaves open are types that it wants. Problems whose
// answer would change if every kind had to have a member are not asked.
#include <algorithm>
#include <array>
#include <bit>

#include "tasks/korean.h"
#include "tasks/problems/people.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int kHardestSyllogism = 3;

constexpr std::array<Words, 12> kKinds = {{{"cats", "고양이"},
                                           {"singers", "가수"},
                                           {"doctors", "의사"},
                                           {"robots", "로봇"},
                                           {"painters", "화가"},
                                           {"bakers", "제빵사"},
                                           {"farmers", "농부"},
                                           {"dancers", "무용수"},
                                           {"sailors", "선원"},
                                           {"students", "학생"},
                                           {"poets", "시인"},
                                           {"pilots", "조종사"}}};
constexpr std::array<Words, 4> kLetters = {{{"A", "A"}, {"B", "B"}, {"C", "C"}, {"D", "D"}}};

enum class Form { kAll, kNo, kSome, kSomeNot };

struct Statement {
  Form form;
  size_t subject, predicate;

  bool is_universal() const { return form == Form::kAll || form == Form::kNo; }
};

struct Argument {
  std::vector<int64_t> kinds;  // indices of kKinds; statements name kinds by their place here
  std::vector<Statement> premises;
  Statement conclusion;
};

// Bit t stands for the type whose bit k says whether it is of kind k.
using Types = uint32_t;

bool is_of(size_t type, size_t kind) { return type >> kind & 1; }

// What a universal statement forbids, what an existential one wants.
Types types_of(const Statement& statement, size_t n_kinds) {
  const bool is_in_predicate = statement.form == Form::kNo || statement.form == Form::kSome;
  Types types = 0;
  for (size_t type = 0; type < size_t{1} << n_kinds; ++type) {
    if (is_of(type, statement.subject) && is_of(type, statement.predicate) == is_in_predicate) types |= Types{1} << type;
  }
  return types;
}

struct Reading {
  bool is_possible;  // the premises can all be true
  bool follows;
};

Reading read(const Argument& argument, bool has_members) {
  const size_t n_kinds = argument.kinds.size();
  Types open = ~Types{0} >> (32 - (1u << n_kinds));
  for (const Statement& premise : argument.premises) {
    if (premise.is_universal()) open &= ~types_of(premise, n_kinds);
  }
  std::vector<Types> wanted;
  for (const Statement& premise : argument.premises) {
    if (!premise.is_universal()) wanted.push_back(open & types_of(premise, n_kinds));
  }
  for (size_t kind = 0; has_members && kind < n_kinds; ++kind) {
    wanted.push_back(open & types_of({Form::kSome, kind, kind}, n_kinds));
  }
  const Types concluded = types_of(argument.conclusion, n_kinds);
  Reading reading{.is_possible = true, .follows = argument.conclusion.is_universal() && (open & concluded) == 0};
  for (Types types : wanted) {
    reading.is_possible &= types != 0;
    reading.follows |= !argument.conclusion.is_universal() && (types & ~concluded) == 0;
  }
  return reading;
}

Argument argument_of(const nlohmann::json& facts) {
  const auto statement_of = [](const nlohmann::json& entry) {
    return Statement{static_cast<Form>(entry.at(0).get<int>()), entry.at(1), entry.at(2)};
  };
  Argument argument{.kinds = facts.at("kinds"), .premises = {}, .conclusion = statement_of(facts.at("conclusion"))};
  for (const auto& entry : facts.at("premises")) argument.premises.push_back(statement_of(entry));
  return argument;
}

nlohmann::json json_of(const Statement& statement) {
  return nlohmann::json::array({static_cast<int>(statement.form), statement.subject, statement.predicate});
}

std::string statement_text(Form form, const Words& subject, const Words& predicate, Tongue tongue) {
  static constexpr std::array<Words, 4> kForms = {{{"All {0} are {1}.", "모든 {2} {3}."},
                                                   {"No {0} are {1}.", "어떤 {0}도 {4} 아니다."},
                                                   {"Some {0} are {1}.", "{1}인 {5} 있다."},
                                                   {"Some {0} are not {1}.", "{4} 아닌 {5} 있다."}}};
  const char* s = subject.in(tongue);
  const char* p = predicate.in(tongue);
  return fmt::format(fmt::runtime(kForms[static_cast<size_t>(form)].in(tongue)), s, p, with_particle(s, Particle::kTopic),
                     with_particle(p, Particle::kIs), with_particle(p, Particle::kSubject),
                     with_particle(s, Particle::kSubject));
}

// The reasoning over types, with letters for kinds.
class Reasoning {
 public:
  Reasoning(const Argument& argument, Tongue tongue) : argument_(argument), tongue_(tongue) {}

  std::string text() {
    const Words asks = {"So {}", "결론: {}"};
    for (size_t k = 0; k < argument_.kinds.size(); ++k) {
      const char* kind = kKinds[static_cast<size_t>(argument_.kinds[k])].in(tongue_);
      text_ += fmt::format("{}{}={}", k == 0 ? "" : " ", kLetters[k].english, kind);
    }
    for (size_t i = 0; i < argument_.premises.size(); ++i)
      text_ += fmt::format("\n{}. {}", i + 1, in_letters(argument_.premises[i]));
    text_ += "\n" + fmt::format(fmt::runtime(asks.in(tongue_)), in_letters(argument_.conclusion));
    if (argument_.conclusion.is_universal()) {
      look_for_exception();
    } else {
      look_for_witness();
    }
    return std::move(text_);
  }

 private:
  std::string in_letters(const Statement& s) const {
    return statement_text(s.form, kLetters[s.subject], kLetters[s.predicate], tongue_);
  }

  std::string type_name(size_t type) const {
    std::string name;
    for (size_t k = 0; k < argument_.kinds.size(); ++k)
      name += static_cast<char>((is_of(type, k) ? 'A' : 'a') + static_cast<char>(k));
    return name;
  }

  // The number of the first premise that forbids a type; none is 0.
  size_t forbidden_by(size_t type) const {
    for (size_t i = 0; i < argument_.premises.size(); ++i) {
      const Statement& premise = argument_.premises[i];
      if (premise.is_universal() && types_of(premise, argument_.kinds.size()) >> type & 1) return i + 1;
    }
    return 0;
  }

  // Goes through the types and says of each which premise forbids it, until `is_end` of one that none forbids.
  template <typename IsEnd>
  bool stops_at_open(Types types, const char* mark, const IsEnd& is_end) {
    for (; types != 0; types &= types - 1) {
      const size_t type = static_cast<size_t>(std::countr_zero(types)), premise = forbidden_by(type);
      text_ += " " + type_name(type) + " ";
      text_ += premise != 0 ? fmt::format("x{}", premise) : is_end(type) ? mark : "o";
      if (premise == 0 && is_end(type)) return true;
    }
    return false;
  }

  void conclude(const Words& why) { text_ += fmt::format("\n{}", why.in(tongue_)); }

  void look_for_exception() {
    text_ += "\n" + std::string(Words{"Against:", "반례:"}.in(tongue_));
    const bool has_exception =
        stops_at_open(types_of(argument_.conclusion, argument_.kinds.size()), "?", [](size_t) { return true; });
    conclude(has_exception ? Words{"An exception is open: no.", "반례가 남으므로 아니요."}
                           : Words{"No exception is open: yes.", "반례가 없으므로 예."});
  }

  void look_for_witness() {
    const Types concluded = types_of(argument_.conclusion, argument_.kinds.size());
    for (size_t i = 0; i < argument_.premises.size(); ++i) {
      if (argument_.premises[i].is_universal()) continue;
      text_ += fmt::format("\n{}:", i + 1);
      const Types wanted = types_of(argument_.premises[i], argument_.kinds.size());
      if (!stops_at_open(wanted, "?", [&](size_t type) { return (concluded >> type & 1) == 0; })) {
        return conclude({"All that is open fits: yes.", "남은 것이 모두 맞으므로 예."});
      }
    }
    conclude({"Nothing must exist that fits: no.", "꼭 있어야 할 것이 없으므로 아니요."});
  }

  const Argument& argument_;
  Tongue tongue_;
  std::string text_;
};

Statement draw_statement(Draws& draws, size_t a, size_t b, bool is_universal) {
  const Form form = static_cast<Form>(draws.below(is_universal ? 2 : 4));
  if (draws.one_in(2)) std::swap(a, b);
  return {form, a, b};
}

// Premises join neighbours of a chain of kinds, the conclusion its ends. Kinds are then numbered as the premises name them.
Argument draw_argument(Draws& draws, size_t n_kinds, bool is_universal) {
  Argument argument{.kinds = {}, .premises = {}, .conclusion = draw_statement(draws, 0, n_kinds - 1, is_universal)};
  for (size_t k = 0; k + 1 < n_kinds; ++k) argument.premises.push_back(draw_statement(draws, k, k + 1, is_universal));
  draws.shuffle(argument.premises);
  std::vector<size_t> named;
  const auto place = [&](size_t& kind) {
    const auto found = std::find(named.begin(), named.end(), kind);
    const size_t at = static_cast<size_t>(found - named.begin());
    if (found == named.end()) named.push_back(kind);
    kind = at;
  };
  for (Statement& premise : argument.premises) {
    place(premise.subject);
    place(premise.predicate);
  }
  place(argument.conclusion.subject);
  place(argument.conclusion.predicate);
  argument.kinds = draw_some(draws, n_kinds, kKinds.size());
  return argument;
}

class Syllogism final : public ProceduralTask {
 public:
  std::string_view name() const override { return "syllogism"; }
  int max_difficulty() const override { return kHardestSyllogism; }
  std::string describe(int difficulty) const override {
    return difficulty == 1   ? "two premises, only all and no"
           : difficulty == 2 ? "two premises, all, no, some and some-not"
                             : "three premises, all, no, some and some-not";
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    constexpr int kTries = 200;  // few random arguments are valid; half of those asked are
    const bool is_valid = draws.one_in(2);
    for (int i = 0; i < kTries; ++i) {
      const Argument argument = draw_argument(draws, difficulty == kHardestSyllogism ? 4 : 3, difficulty == 1);
      const Reading plain = read(argument, false), with_members = read(argument, true);
      const bool is_clear = plain.is_possible && with_members.is_possible && plain.follows == with_members.follows;
      if (!is_clear || plain.follows != is_valid) continue;
      Facts premises = Facts::array();
      for (const Statement& premise : argument.premises) premises.push_back(json_of(premise));
      return Facts{{"kinds", argument.kinds}, {"premises", std::move(premises)}, {"conclusion", json_of(argument.conclusion)}};
    }
    return std::nullopt;
  }

  // The order of premises does not matter, nor that of the kinds in "no" and "some".
  std::string canonical(const Facts& facts) const override {
    const Argument argument = argument_of(facts);
    const auto text_of = [&](const Statement& statement) {
      int64_t a = argument.kinds[statement.subject], b = argument.kinds[statement.predicate];
      if ((statement.form == Form::kNo || statement.form == Form::kSome) && a > b) std::swap(a, b);
      return fmt::format("{},{},{}", static_cast<int>(statement.form), a, b);
    };
    std::vector<std::string> premises;
    for (const Statement& premise : argument.premises) premises.push_back(text_of(premise));
    std::sort(premises.begin(), premises.end());
    return fmt::format("{} so {}", fmt::join(premises, ";"), text_of(argument.conclusion));
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    static constexpr std::array<Words, 3> kWays = {{
        {"{0} Does it follow that: {1} Reply as \"Answer: yes\" or \"Answer: no\", one of them.",
         "{0} 여기서 다음 결론이 반드시 나오나요? {1} \"답: 예\"나 \"답: 아니요\" 가운데 하나로 답하세요."},
        {"Premises: {0} Conclusion: {1} Is the conclusion certain? Reply as \"Answer: yes\" or \"Answer: no\", one of them.",
         "전제: {0} 결론: {1} 결론이 확실한가요? \"답: 예\"나 \"답: 아니요\" 가운데 하나로 답하세요."},
        {"Suppose this is true: {0} Must this be true too: {1} Reply as \"Answer: yes\" or \"Answer: no\", one of them.",
         "다음이 참이라고 합시다. {0} 그러면 이것도 반드시 참인가요? {1} \"답: 예\"나 \"답: 아니요\" 가운데 하나로 답하세요."},
    }};
    const Argument argument = argument_of(facts);
    const auto text_of = [&](const Statement& statement) {
      return statement_text(statement.form, kKinds[static_cast<size_t>(argument.kinds[statement.subject])],
                            kKinds[static_cast<size_t>(argument.kinds[statement.predicate])], tongue);
    };
    std::vector<std::string> premises;
    for (const Statement& premise : argument.premises) premises.push_back(text_of(premise));
    Telling out;
    out.question = phrase(draws, tongue, kWays, fmt::format("{}", fmt::join(premises, " ")), text_of(argument.conclusion));
    out.thought = Reasoning(argument, tongue).text();
    out.result = yes_or_no(tongue, read(argument, false).follows);
    return out;
  }
};

}  // namespace

const Task& syllogism() {
  static const Syllogism task;
  return task;
}

}  // namespace minke
