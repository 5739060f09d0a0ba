// Filters that take items in and out of sequences and dicts, and sort and group them.
#include <algorithm>

#include "jinja/library/filters.h"
#include "jinja/value/operators.h"
#include "jinja/value/repr.h"
#include "jinja/value/text.h"

namespace minke::jinja {

namespace {

Result<Value> default_value(Runtime& runtime, const Value& self, const Arguments& args) {
  const bool use_default = self.is(Kind::kUndefined) || (args.flag(1, false) && !truthy(self));
  if (!use_default) return self;
  return args.has(0) ? args.at(0) : runtime.string("");
}

Result<Value> length_filter(Runtime&, const Value& self, const Arguments&) {
  return Value(static_cast<Int>(TRY(length(self))));
}

Result<Value> first(Runtime& runtime, const Value& self, const Arguments&) {
  if (self.is_string() && !self.text().empty()) return get_item(runtime, self, Value(Int{0}));
  const auto items = TRY(iterate(runtime, self));
  return items.empty() ? runtime.undefined("no first item, the sequence was empty") : items.front();
}

Result<Value> last(Runtime& runtime, const Value& self, const Arguments&) {
  if (self.is(Kind::kSequence) && !self.sequence().has_length()) return error("'generator' object is not reversible");
  if (self.is_string() && !self.text().empty()) return get_item(runtime, self, Value(Int{-1}));
  const auto items = TRY(iterate(runtime, self));
  return items.empty() ? runtime.undefined("no last item, the sequence was empty") : items.back();
}

Result<Value> list(Runtime& runtime, const Value& self, const Arguments&) { return runtime.list(TRY(iterate(runtime, self))); }

Result<Value> reverse(Runtime& runtime, const Value& self, const Arguments&) {
  if (self.is_string()) {
    auto pieces = characters(self.text());
    std::string out;
    for (auto it = pieces.rbegin(); it != pieces.rend(); ++it) out += *it;
    return runtime.string_like(self, std::move(out));
  }
  const bool is_generator = self.is(Kind::kSequence) && !self.sequence().has_length();
  auto items = TRY(iterate(runtime, self));
  std::reverse(items.begin(), items.end());
  return is_generator ? runtime.list(std::move(items)) : runtime.generator(std::move(items));
}

Result<Value> join(Runtime& runtime, const Value& self, const Arguments& args) {
  const AttributePath path = TRY(AttributePath::parse(runtime, args.get(1)));
  const std::string separator = args.has(0) ? TRY(to_text(runtime, args.at(0))) : "";
  const auto items = TRY(iterate(runtime, self));
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    const Value part = TRY(path.get(runtime, items[i]));
    out += TRY(to_text(runtime, part));
    TRY(runtime.touch(separator.size()));
    TRY(runtime.reserve(out.size()));
  }
  return runtime.string(std::move(out));
}

Result<Value> items(Runtime& runtime, const Value& self, const Arguments&) {
  if (self.is(Kind::kUndefined)) return runtime.generator({});
  if (!self.is(Kind::kDict)) return error("Can only get item pairs from a mapping.");
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.dict().entries) pairs.push_back(TRY(runtime.tuple({key, value})));
  return runtime.generator(std::move(pairs));
}

Result<Value> sum(Runtime& runtime, const Value& self, const Arguments& args) {
  const AttributePath path = TRY(AttributePath::parse(runtime, args.get(0)));
  Value total = args.has(1) ? args.at(1) : Value(Int{0});
  if (total.is_string()) return error("sum() can't sum strings [use ''.join(seq) instead]");
  for (const Value& item : TRY(iterate(runtime, self))) {
    const Value part = TRY(path.get(runtime, item));
    total = TRY(apply_binary(runtime, BinaryOp::kAdd, total, part));
  }
  return total;
}

// What an item is compared by: its attribute, in lower case unless case matters.
Result<Value> sort_key(Runtime& runtime, const AttributePath& path, const Value& item, bool case_sensitive,
                       const Value* fallback = nullptr) {
  Value key = TRY(path.get(runtime, item, fallback));
  if (case_sensitive || !key.is_string()) return key;
  return runtime.string(to_lower(key.text()));
}

using Keyed = std::pair<Value, Value>;  // key, item

// A stable merge sort, because the comparison can fail.
Status sort_keyed(Runtime& runtime, std::vector<Keyed>& items, bool reversed) {
  std::vector<Keyed> merged;
  for (size_t width = 1; width < items.size(); width *= 2) {
    merged.clear();
    for (size_t begin = 0; begin < items.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, items.size()), end = std::min(begin + 2 * width, items.size());
      size_t left = begin, right = middle;
      while (left < middle && right < end) {
        const bool takes_right = TRY(reversed ? less(runtime, items[left].first, items[right].first)
                                              : less(runtime, items[right].first, items[left].first));
        merged.push_back(std::move(takes_right ? items[right++] : items[left++]));
      }
      while (left < middle) merged.push_back(std::move(items[left++]));
      while (right < end) merged.push_back(std::move(items[right++]));
    }
    items.swap(merged);
  }
  return {};
}

Result<Value> sort(Runtime& runtime, const Value& self, const Arguments& args) {
  const bool case_sensitive = args.flag(1, false);
  std::vector<AttributePath> paths;
  if (args.has(2) && args.at(2).is_string()) {
    for (std::string_view part : split(args.at(2).text(), ",", -1)) {
      const Value attribute = TRY(runtime.string(std::string(part)));
      paths.push_back(TRY(AttributePath::parse(runtime, &attribute)));
    }
  } else {
    paths.push_back(TRY(AttributePath::parse(runtime, args.get(2))));
  }
  std::vector<Keyed> keyed;
  for (Value& item : TRY(iterate(runtime, self))) {
    std::vector<Value> keys;
    for (const AttributePath& path : paths) keys.push_back(TRY(sort_key(runtime, path, item, case_sensitive)));
    // Always a list, even of one: lists skip what is equal, so two undefined keys compare without an error.
    keyed.emplace_back(TRY(runtime.list(std::move(keys))), std::move(item));
  }
  TRY(sort_keyed(runtime, keyed, args.flag(0, false)));
  std::vector<Value> sorted;
  for (auto& [key, item] : keyed) sorted.push_back(std::move(item));
  return runtime.list(std::move(sorted));
}

Result<Value> dictsort(Runtime& runtime, const Value& self, const Arguments& args) {
  TRY(require_defined(self));
  if (!self.is(Kind::kDict)) return error("dictsort needs a dict, not {}", type_name(self));
  const std::string_view by = TRY(args.text(1, "key"));
  if (by != "key" && by != "value") return error("dictsort: you can only sort by either \"key\" or \"value\"");
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : self.dict().entries) {
    const Value order = TRY(sort_key(runtime, AttributePath(), by == "key" ? key : value, args.flag(0, false)));
    keyed.emplace_back(order, TRY(runtime.tuple({key, value})));
  }
  TRY(sort_keyed(runtime, keyed, args.flag(2, false)));
  std::vector<Value> pairs;
  for (auto& [key, pair] : keyed) pairs.push_back(std::move(pair));
  return runtime.list(std::move(pairs));
}

Result<Value> groupby(Runtime& runtime, const Value& self, const Arguments& args) {
  const AttributePath path = TRY(AttributePath::parse(runtime, args.get(0)));
  std::vector<Keyed> keyed;
  for (Value& item : TRY(iterate(runtime, self))) {
    Value key = TRY(sort_key(runtime, path, item, args.flag(2, false), args.get(1)));
    keyed.emplace_back(std::move(key), std::move(item));
  }
  TRY(sort_keyed(runtime, keyed, false));
  std::vector<Value> groups;
  for (size_t begin = 0; begin < keyed.size();) {
    std::vector<Value> members;
    size_t end = begin;
    for (; end < keyed.size() && TRY(equals(runtime, keyed[end].first, keyed[begin].first)); ++end)
      members.push_back(keyed[end].second);
    std::vector<Value> group = {TRY(path.get(runtime, members[0], args.get(1)))};
    group.push_back(TRY(runtime.list(std::move(members))));
    groups.push_back(TRY(runtime.sequence(SequenceStyle::kGroup, std::move(group))));
    begin = end;
  }
  return runtime.list(std::move(groups));
}

Result<Value> unique(Runtime& runtime, const Value& self, const Arguments& args) {
  const AttributePath path = TRY(AttributePath::parse(runtime, args.get(1)));
  DictBuilder seen(runtime);
  std::vector<Value> kept;
  for (const Value& item : TRY(iterate(runtime, self))) {
    const Value key = TRY(sort_key(runtime, path, item, args.flag(0, false)));
    const size_t n_before = seen.size();
    TRY(seen.add(key, Value(NoneType{})));
    if (seen.size() > n_before) kept.push_back(item);
  }
  return runtime.generator(std::move(kept));
}

template <bool largest>
Result<Value> extreme(Runtime& runtime, const Value& self, const Arguments& args) {
  const AttributePath path = TRY(AttributePath::parse(runtime, args.get(1)));
  const auto all = TRY(iterate(runtime, self));
  if (all.empty()) return runtime.undefined("no aggregated item, the sequence was empty");
  const bool case_sensitive = args.flag(0, false);
  size_t best = 0;
  Value best_key = TRY(sort_key(runtime, path, all[0], case_sensitive));
  for (size_t i = 1; i < all.size(); ++i) {
    Value key = TRY(sort_key(runtime, path, all[i], case_sensitive));
    const bool better = TRY(largest ? less(runtime, best_key, key) : less(runtime, key, best_key));
    if (!better) continue;
    best = i;
    best_key = std::move(key);
  }
  return all[best];
}

Result<Value> batch(Runtime& runtime, const Value& self, const Arguments& args) {
  const Int size = TRY(args.integer(0, 1));
  if (size < 1) return error("batch: the size must be at least 1");
  const Value* fill = args.has(1) && !args.at(1).is(Kind::kNone) ? &args.at(1) : nullptr;
  std::vector<Value> batches, current;
  auto all = TRY(iterate(runtime, self));
  for (size_t i = 0; i < all.size(); ++i) {
    current.push_back(all[i]);
    const bool is_last = i + 1 == all.size();
    if (is_last && fill != nullptr) {
      const auto missing = static_cast<size_t>(size - static_cast<Int>(current.size()));
      TRY(runtime.reserve_product(missing, sizeof(Value)));
      current.insert(current.end(), missing, *fill);
    }
    if (is_last || static_cast<Int>(current.size()) == size) batches.push_back(TRY(runtime.list(std::exchange(current, {}))));
  }
  return runtime.generator(std::move(batches));
}

Result<Value> slice(Runtime& runtime, const Value& self, const Arguments& args) {
  const Int slices = TRY(args.integer(0, 1));
  if (slices < 1) return error("slice: the number of slices must be at least 1");
  TRY(runtime.reserve_product(static_cast<size_t>(slices), sizeof(Value) + sizeof(Sequence)));
  const Value* fill = args.has(1) && !args.at(1).is(Kind::kNone) ? &args.at(1) : nullptr;
  const auto all = TRY(iterate(runtime, self));
  const size_t n = static_cast<size_t>(slices), per_slice = all.size() / n, n_longer = all.size() % n;
  std::vector<Value> columns;
  size_t begin = 0;
  for (size_t i = 0; i < n; ++i) {
    const size_t end = begin + per_slice + (i < n_longer);
    std::vector<Value> column(all.begin() + static_cast<ptrdiff_t>(begin), all.begin() + static_cast<ptrdiff_t>(end));
    if (fill != nullptr && i >= n_longer) column.push_back(*fill);
    columns.push_back(TRY(runtime.list(std::move(column))));
    begin = end;
  }
  return runtime.generator(std::move(columns));
}

constexpr FunctionRow kSequenceFilters[] = {
    {"batch", batch, {"linecount", "fill_with"}, 1},
    {"count", length_filter},
    {"d", default_value, {"default_value", "boolean"}},
    {"default", default_value, {"default_value", "boolean"}},
    {"dictsort", dictsort, {"case_sensitive", "by", "reverse"}},
    {"first", first},
    {"groupby", groupby, {"attribute", "default", "case_sensitive"}, 1},
    {"items", items},
    {"join", join, {"d", "attribute"}},
    {"last", last},
    {"length", length_filter},
    {"list", list},
    {"max", extreme<true>, {"case_sensitive", "attribute"}},
    {"min", extreme<false>, {"case_sensitive", "attribute"}},
    {"reverse", reverse},
    {"slice", slice, {"slices", "fill_with"}, 1},
    {"sort", sort, {"reverse", "case_sensitive", "attribute"}},
    {"sum", sum, {"attribute", "start"}},
    {"unique", unique, {"case_sensitive", "attribute"}},
};

}  // namespace

std::span<const FunctionRow> sequence_filters() { return kSequenceFilters; }

}  // namespace minke::jinja
