#include "tasks/problems/countdown_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace minke {
namespace {

// A number at hand: given, or made of given ones.
struct Item {
  int64_t value;
  std::string text;
  bool is_given = true;
};

struct Search {
  std::string trace;
  std::optional<Item> found;
};

std::string operand(const Item& item) { return item.is_given ? item.text : "(" + item.text + ")"; }

Item combine(const Item& a, CountdownStep step, const Item& b) {
  return {step.value, fmt::format("{}{}{}", operand(a), step.operation, operand(b)), false};
}

void sort_descending(std::vector<Item>& items) {
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.value > b.value; });
}

std::string equation(int64_t a, char operation, int64_t b, int64_t value) {
  return fmt::format("{}{}{}={}", a, operation, b, value);
}

void append_word(std::string& text, const std::string& word) {
  if (!text.empty()) text += ' ';
  text += word;
}

// What a and b make, until one is the target.
Search search_pair(const Item& a, const Item& b, int64_t target, std::vector<Item>* made) {
  Search out;
  for (const CountdownStep& step : countdown_steps(a.value, b.value)) {
    append_word(out.trace, equation(a.value, step.operation, b.value, step.value));
    Item item = combine(a, step, b);
    if (step.value == target) {
      out.found = std::move(item);
      return out;
    }
    if (made) made->push_back(std::move(item));
  }
  return out;
}

// A value that would make the target together with the number that was left out.
struct Need {
  std::string equation;  // how it follows from the target: "29-25=4"
  CountdownStep last;    // its last step ...
  bool is_left;          // ... and its side there
  int64_t value;
};

std::vector<Need> needs_of(int64_t target, int64_t c) {
  std::vector<Need> needs;
  if (target > c) needs.push_back({equation(target, '-', c, target - c), {'+', target}, false, target - c});
  needs.push_back({equation(target, '+', c, target + c), {'-', target}, true, target + c});
  if (c > target) needs.push_back({equation(c, '-', target, c - target), {'-', target}, false, c - target});
  if (c > 1 && target % c == 0) needs.push_back({equation(target, '/', c, target / c), {'*', target}, false, target / c});
  if (c > 1) needs.push_back({equation(target, '*', c, target * c), {'/', target}, true, target * c});
  if (c % target == 0) needs.push_back({equation(c, '/', target, c / target), {'/', target}, false, c / target});
  return needs;
}

// One line of the search among three: the pair a, b with c left out.
Search search_leaving(const Item& c, const Item& a, const Item& b, int64_t target) {
  std::vector<Item> made;
  Search line = search_pair(a, b, target, &made);
  if (line.found) return line;
  int64_t largest = 0;
  for (const Item& item : made) largest = std::max(largest, item.value);
  bool has_bar = false;
  for (const Need& need : needs_of(target, c.value)) {
    if (need.value > largest) continue;  // cannot be met: not worth a word
    line.trace += std::exchange(has_bar, true) ? " " : " | ";
    line.trace += need.equation;
    const auto met = std::find_if(made.begin(), made.end(), [&](const Item& item) { return item.value == need.value; });
    if (met == made.end()) continue;
    const Item& left = need.is_left ? *met : c;
    const Item& right = need.is_left ? c : *met;
    line.trace += "\n" + equation(left.value, need.last.operation, right.value, target);
    line.found = combine(left, need.last, right);
    return line;
  }
  return line;
}

Search search_three(const std::vector<Item>& items, int64_t target) {
  constexpr size_t kOthers[3][2] = {{1, 2}, {0, 2}, {0, 1}};
  Search out;
  for (size_t left_out = 0; left_out < 3; ++left_out) {
    Search line = search_leaving(items[left_out], items[kOthers[left_out][0]], items[kOthers[left_out][1]], target);
    if (!out.trace.empty()) out.trace += '\n';
    out.trace += line.trace;
    if (line.found) {
      out.found = std::move(line.found);
      break;
    }
  }
  return out;
}

Search search(std::vector<Item> items, int64_t target, int n_false_starts);

// A first step of four or more numbers, and the search after it.
struct Start {
  Search search;
  int64_t value = 0;
};

Start start_with(const std::vector<Item>& items, size_t i, size_t j, CountdownStep step, int64_t target) {
  Start start{.search = {equation(items[i].value, step.operation, items[j].value, step.value), std::nullopt}, .value = step.value};
  Item made = combine(items[i], step, items[j]);
  if (step.value == target) {
    start.search.found = std::move(made);
    return start;
  }
  std::vector<Item> rest{std::move(made)};
  for (size_t k = 0; k < items.size(); ++k) {
    if (k != i && k != j) rest.push_back(items[k]);
  }
  sort_descending(rest);
  std::string values;
  for (const Item& item : rest) append_word(values, fmt::format("{}", item.value));
  Search after = search(std::move(rest), target, 0);
  start.search.trace += ": " + values + "\n" + after.trace;
  start.search.found = std::move(after.found);
  return start;
}

// With four numbers the start with the shortest trace; with more the first that succeeds, for the number of starts grows fast.
Search search_starts(const std::vector<Item>& items, int64_t target, int n_false_starts) {
  std::optional<Start> best;
  std::vector<Start> false_starts;
  for (size_t i = 0; i < items.size(); ++i) {
    for (size_t j = i + 1; j < items.size(); ++j) {
      for (const CountdownStep& step : countdown_steps(items[i].value, items[j].value)) {
        Start start = start_with(items, i, j, step, target);
        if (!start.search.found) {
          if (n_false_starts > 0) false_starts.push_back(std::move(start));
          continue;
        }
        if (items.size() > 4) return std::move(start.search);
        if (!best || start.search.trace.size() < best->search.trace.size()) best = std::move(start);
      }
    }
  }
  if (!best) return {};
  // The most tempting ones: those that come closest to the target.
  std::stable_sort(false_starts.begin(), false_starts.end(), [target](const Start& a, const Start& b) {
    return std::abs(a.value - target) < std::abs(b.value - target);
  });
  Search out;
  for (size_t i = 0; i < false_starts.size() && i < static_cast<size_t>(n_false_starts); ++i) {
    out.trace += false_starts[i].search.trace + "\n";
  }
  out.trace += best->search.trace;
  out.found = std::move(best->search.found);
  return out;
}

Search search(std::vector<Item> items, int64_t target, int n_false_starts) {
  CHECK(items.size() >= 2, "{} numbers", items.size());
  if (items.size() == 2) return search_pair(items[0], items[1], target, nullptr);
  if (items.size() == 3) return search_three(items, target);
  return search_starts(items, target, n_false_starts);
}

}  // namespace

std::vector<CountdownStep> countdown_steps(int64_t a, int64_t b) {
  CHECK(a >= b && b > 0, "a={} b={}", a, b);
  std::vector<CountdownStep> steps;
  const auto consider = [&](char operation, int64_t value) {
    if (value > 0 && value <= kMaxCountdownStep) steps.push_back({operation, value});
  };
  consider('+', a + b);
  consider('-', a - b);
  if (b > 1) consider('*', a * b);
  if (b > 1 && a % b == 0) consider('/', a / b);
  return steps;
}

CountdownSearch search_countdown(const std::vector<int64_t>& numbers, int64_t target, int n_false_starts) {
  std::vector<Item> items;
  for (int64_t number : numbers) items.push_back({number, fmt::format("{}", number)});
  sort_descending(items);
  Search result = search(std::move(items), target, n_false_starts);
  if (!result.found) return {std::move(result.trace), std::nullopt};
  const std::string expression = std::move(result.found->text);
  return {fmt::format("{}\n{}={}", result.trace, expression, target), expression};
}

}  // namespace minke
