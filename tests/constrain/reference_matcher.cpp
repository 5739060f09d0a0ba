#include "reference_matcher.h"

#include <algorithm>

#include "base/utf8.h"

namespace minke::constrain::testing {

CharMatch match_char(const CodePointSet& set, std::string_view bytes) {
  auto lead = static_cast<uint8_t>(bytes[0]);
  size_t n = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || bytes.size() > n) return CharMatch::kNo;
  for (size_t i = 1; i < bytes.size(); i++) {
    if ((static_cast<uint8_t>(bytes[i]) & 0xC0) != 0x80) return CharMatch::kNo;
  }
  if (bytes.size() == n) {
    Utf8Step step = utf8_decode(bytes, 0);
    return step.valid && set.contains(step.code_point) ? CharMatch::kWhole : CharMatch::kNo;
  }
  const char32_t payload[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  const char32_t shortest[] = {0, 0, 0x80, 0x800, 0x10000};
  char32_t low = lead & payload[n];
  for (size_t i = 1; i < bytes.size(); i++) low = low << 6 | (static_cast<uint8_t>(bytes[i]) & 0x3F);
  size_t n_open = 6 * (n - bytes.size());
  char32_t high = (low << n_open) | ((char32_t{1} << n_open) - 1);
  low = std::max<char32_t>(low << n_open, shortest[n]);
  if (low > high) return CharMatch::kNo;  // longer than need be
  for (CodePointRange range : set.ranges()) {
    if (range.first <= high && range.last >= low) return CharMatch::kPart;
  }
  return CharMatch::kNo;
}

ReferenceMatcher::ReferenceMatcher(const Expressions& expressions, RuleId root) : expressions_(expressions) {
  live_ = std::make_shared<std::set<std::pair<int32_t, int64_t>>>();
  for (size_t before = 1; before != live_->size();) {
    before = live_->size();
    for (NodeId id = 0; id < expressions_.n_nodes(); id++) find_live(id);
  }
  std::set<Stack> seen;
  expand({{Item::Kind::kNode, expressions.rule_at(root).body, 0, {}}}, seen, stacks_);
}

// (node, -1): some text matches the node; (graph's node, state): some text leads from the state to an end.
void ReferenceMatcher::find_live(NodeId id) {
  const Node& node = expressions_.node(id);
  auto is_live = [&](NodeId child) { return live_->contains({child, -1}); };
  bool live = true;
  switch (node.kind) {
    case Node::Kind::kEmpty:
    case Node::Kind::kBytes:
    case Node::Kind::kToken:
      break;
    case Node::Kind::kChars:
      live = !node.chars.empty();
      break;
    case Node::Kind::kSequence:
      live = std::all_of(node.children.begin(), node.children.end(), is_live);
      break;
    case Node::Kind::kChoice:
      live = std::any_of(node.children.begin(), node.children.end(), is_live);
      break;
    case Node::Kind::kRepeat:
    case Node::Kind::kCounted:
      live = node.min == 0 || is_live(node.children[0]);
      break;
    case Node::Kind::kRule:
      live = is_live(expressions_.rule_at(node.value).body);
      break;
    case Node::Kind::kGraph: {
      const Graph& graph = expressions_.graph_at(node.value);
      for (int32_t state = 0; state < graph.n_states; state++) {
        bool leads_on = graph.is_final[static_cast<size_t>(state)];
        for (const Graph::Edge& edge : graph.edges) {
          leads_on |= edge.from == state && is_live(edge.label) && live_->contains({id, edge.to});
        }
        if (leads_on) live_->insert({id, state});
      }
      live = live_->contains({id, 0});
      break;
    }
  }
  if (live) live_->insert({id, -1});
}

void ReferenceMatcher::expand(Stack stack, std::set<Stack>& seen, std::set<Stack>& out) const {
  if (!seen.insert(stack).second) return;
  if (!stack.empty() && !is_live(stack.back())) return;
  if (stack.empty()) {
    out.insert(stack);
    return;
  }
  Item item = stack.back();
  Stack rest = stack;
  rest.pop_back();
  auto with = [&](std::initializer_list<Item> items) {
    Stack next = rest;
    next.insert(next.end(), items);
    if (std::all_of(items.begin(), items.end(), [&](const Item& each) { return is_live(each); }))
      expand(std::move(next), seen, out);
  };
  switch (item.kind) {
    case Item::Kind::kRest:
      if (static_cast<size_t>(item.place) == expressions_.node(item.id).bytes.size()) return expand(rest, seen, out);
      out.insert(stack);
      return;
    case Item::Kind::kChar:
      out.insert(stack);
      return;
    case Item::Kind::kRounds: {
      const Node& node = expressions_.node(item.id);
      if (item.place >= node.min) with({});
      int64_t done = node.max == kUnbounded ? std::min(item.place + 1, node.min) : item.place + 1;
      if (node.max == kUnbounded || item.place < node.max) {
        with({{Item::Kind::kRounds, item.id, done, {}}, {Item::Kind::kNode, node.children[0], 0, {}}});
      }
      return;
    }
    case Item::Kind::kGraph: {
      const Graph& graph = expressions_.graph_at(expressions_.node(item.id).value);
      if (graph.is_final[static_cast<size_t>(item.place)]) with({});
      for (const Graph::Edge& edge : graph.edges) {
        if (edge.from != item.place) continue;
        with({{Item::Kind::kGraph, item.id, edge.to, {}}, {Item::Kind::kNode, edge.label, 0, {}}});
      }
      return;
    }
    case Item::Kind::kNode:
      expand_node(item, rest, seen, out);
  }
}

bool ReferenceMatcher::is_live(const Item& item) const {
  const Node& node = expressions_.node(item.id);
  switch (item.kind) {
    case Item::Kind::kNode:
      return live_->contains({item.id, -1});
    case Item::Kind::kGraph:
      return live_->contains({item.id, item.place});
    case Item::Kind::kRounds:
      return item.place >= node.min || live_->contains({node.children[0], -1});
    case Item::Kind::kRest:
    case Item::Kind::kChar:
      return true;
  }
  return true;
}

void ReferenceMatcher::expand_node(const Item& item, const Stack& rest, std::set<Stack>& seen, std::set<Stack>& out) const {
  const Node& node = expressions_.node(item.id);
  auto with = [&](std::initializer_list<Item> items) {
    Stack next = rest;
    next.insert(next.end(), items);
    if (std::all_of(items.begin(), items.end(), [&](const Item& each) { return is_live(each); }))
      expand(std::move(next), seen, out);
  };
  switch (node.kind) {
    case Node::Kind::kEmpty:
      return with({});
    case Node::Kind::kBytes:
      return with({{Item::Kind::kRest, item.id, 0, {}}});
    case Node::Kind::kChars:
    case Node::Kind::kToken:
      return with({{Item::Kind::kChar, item.id, 0, {}}});
    case Node::Kind::kSequence: {
      Stack next = rest;
      for (size_t i = node.children.size(); i-- > 0;) next.push_back({Item::Kind::kNode, node.children[i], 0, {}});
      return expand(std::move(next), seen, out);
    }
    case Node::Kind::kChoice:
      for (NodeId child : node.children) with({{Item::Kind::kNode, child, 0, {}}});
      return;
    case Node::Kind::kRepeat:
    case Node::Kind::kCounted:
      return with({{Item::Kind::kRounds, item.id, 0, {}}});
    case Node::Kind::kRule:
      return with({{Item::Kind::kNode, expressions_.rule_at(node.value).body, 0, {}}});
    case Node::Kind::kGraph:
      return with({{Item::Kind::kGraph, item.id, 0, {}}});
  }
}

bool ReferenceMatcher::accept_byte(uint8_t byte) {
  std::set<Stack> next, seen;
  for (const Stack& stack : stacks_) {
    if (stack.empty()) continue;
    Stack after = stack;
    Item& top = after.back();
    const Node& node = expressions_.node(top.id);
    if (top.kind == Item::Kind::kRest) {
      if (static_cast<uint8_t>(node.bytes[static_cast<size_t>(top.place)]) != byte) continue;
      top.place++;
    } else if (node.kind == Node::Kind::kChars) {
      top.bytes += static_cast<char>(byte);
      CharMatch match = match_char(node.chars, top.bytes);
      if (match == CharMatch::kNo) continue;
      if (match == CharMatch::kWhole) after.pop_back();
    } else {
      continue;
    }
    expand(std::move(after), seen, next);
  }
  stacks_ = std::move(next);
  return !is_dead();
}

bool ReferenceMatcher::accept_token(TokenId token) {
  std::set<Stack> next, seen;
  for (const Stack& stack : stacks_) {
    if (stack.empty()) continue;
    const Item& top = stack.back();
    if (top.kind != Item::Kind::kChar || expressions_.node(top.id).kind != Node::Kind::kToken) continue;
    if (expressions_.node(top.id).value != token) continue;
    expand(Stack(stack.begin(), stack.end() - 1), seen, next);
  }
  stacks_ = std::move(next);
  return !is_dead();
}

}  // namespace minke::constrain::testing
