// a+b-c*d: products before sums, then from left to right. The thought rewrites the expression one operation at a time.
#include <algorithm>
#include <array>

#include "tasks/problems/arithmetic.h"
#include "tasks/problems/problems.h"
#include "tasks/procedural_task.h"

namespace minke {
namespace {

constexpr int kHardestChain = 4;

// Terms with their sign; a term is a product of one or two factors. Facts: [["+", 7], ["-", 3, 4]].
struct Term {
  bool is_negative = false;
  std::vector<int64_t> factors = {};

  int64_t magnitude() const { return factors.size() == 2 ? factors[0] * factors[1] : factors[0]; }
  int64_t value() const { return is_negative ? -magnitude() : magnitude(); }
};

std::vector<Term> terms_of(const nlohmann::json& facts) {
  std::vector<Term> terms;
  for (const auto& entry : facts.at("terms")) {
    Term term{.is_negative = entry.at(0) == "-"};
    for (size_t i = 1; i < entry.size(); ++i) term.factors.push_back(entry.at(i));
    terms.push_back(std::move(term));
  }
  return terms;
}

std::string to_text(const std::vector<Term>& terms) {
  std::string text;
  for (const Term& term : terms) {
    if (term.is_negative || !text.empty()) text += term.is_negative ? '-' : '+';
    text += fmt::format("{}", fmt::join(term.factors, "*"));
  }
  return text;
}

// "7+12-3*4=7+12-12=19-12=7".
std::string rewrite(std::vector<Term> terms) {
  std::string text = to_text(terms);
  for (Term& term : terms) {
    if (term.factors.size() == 1) continue;
    term.factors = {term.magnitude()};
    text += "=" + to_text(terms);
  }
  while (terms.size() > 1) {
    const int64_t sum = terms[0].value() + terms[1].value();
    terms.erase(terms.begin());
    terms[0] = {.is_negative = sum < 0, .factors = {std::abs(sum)}};
    text += "=" + to_text(terms);
  }
  return text;
}

class Chain final : public ProceduralTask {
 public:
  std::string_view name() const override { return "chain"; }
  int max_difficulty() const override { return kHardestChain; }
  std::string describe(int difficulty) const override {
    return fmt::format("{} numbers up to {} joined by + - *", difficulty + 2, largest_number(difficulty));
  }

 protected:
  std::optional<Facts> draw(Draws& draws, int difficulty) const override {
    Facts terms = Facts::array();
    bool has_product = false;
    for (int n_left = difficulty + 2; n_left > 0;) {
      const bool is_product = n_left >= 2 && draws.one_in(3);
      Facts term = Facts::array({!terms.empty() && draws.one_in(2) ? "-" : "+"});
      term.push_back(is_product ? draws.between(2, 9) : draws.between(1, largest_number(difficulty)));
      if (is_product) term.push_back(draws.between(2, difficulty <= 2 ? 9 : 12));
      n_left -= is_product ? 2 : 1;
      has_product |= is_product;
      terms.push_back(std::move(term));
    }
    if (terms.size() < 2 || (!has_product && !draws.one_in(4))) return std::nullopt;
    return Facts{{"terms", std::move(terms)}};
  }

  // The order of terms and factors does not matter.
  std::string canonical(const Facts& facts) const override {
    std::vector<std::string> texts;
    for (Term& term : terms_of(facts)) {
      std::sort(term.factors.begin(), term.factors.end());
      texts.push_back(fmt::format("{}{}", term.is_negative ? '-' : '+', fmt::join(term.factors, "*")));
    }
    std::sort(texts.begin(), texts.end());
    return fmt::format("{}", fmt::join(texts, ""));
  }

  Telling tell(const Facts& facts, Tongue tongue, Draws& draws) const override {
    const std::vector<Term> terms = terms_of(facts);
    int64_t value = 0;
    for (const Term& term : terms) value += term.value();
    const Words opening = {"Products first, then left to right.", "곱셈을 먼저 하고 왼쪽부터 계산한다."};
    return {.question = ask_value(draws, tongue, to_text(terms)),
            .thought = fmt::format("{}\n{}", opening.in(tongue), rewrite(terms)),
            .result = fmt::format("{}", value)};
  }

 private:
  static int64_t largest_number(int difficulty) { return difficulty <= 2 ? 20 : 50; }
};

}  // namespace

const Task& chain() {
  static const Chain task;
  return task;
}

}  // namespace minke
