#include "tokenizer/bpe/bpe.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/utf8.h"

namespace minke {
namespace {

// Up to here scanning all pairs for the best one beats a heap.
constexpr size_t kShortPiece = 24;
constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();

uint64_t pair_key(TokenId left, TokenId right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}
uint64_t pair_hash(uint64_t pair) {
  pair *= 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio
  return pair ^ (pair >> 29);
}

}  // namespace

Bpe::Bpe(const TokenizerSpec& spec, const std::vector<std::string>& token_bytes, const std::vector<bool>& in_model)
    : byte_level_(spec.byte_level()),
      by_score_(!spec.scores.empty()),
      byte_fallback_(spec.byte_fallback),
      ignore_merges_(spec.ignore_merges),
      fuse_unk_(spec.fuse_unk),
      unk_(spec.unk),
      by_bytes_(spec.tokens.size()),
      whole_(std::make_unique<std::atomic<uint8_t>[]>(spec.tokens.size())) {
  byte_ids_.fill(-1);
  for (size_t id = 0; id < spec.tokens.size(); id++) {
    if (in_model[id] && !token_bytes[id].empty()) by_bytes_.insert(token_bytes[id], static_cast<TokenId>(id));
    auto byte = byte_level_ ? std::nullopt : parse_byte_token(spec.tokens[id]);
    if (byte && spec.kinds[id] != TokenKind::kUnused) byte_ids_[*byte] = static_cast<TokenId>(id);
  }
  if (byte_level_) {
    for (size_t byte = 0; byte < 256; byte++) {
      char c = static_cast<char>(byte);
      byte_ids_[byte] = by_bytes_.find(std::string_view(&c, 1)).value_or(-1);
    }
  }
  if (by_score_) {
    rank_scores(spec.scores);
  } else {
    add_merges(spec.merges);
  }
}

void Bpe::add_merges(const std::vector<Merge>& merges) {
  merges_.resize(std::bit_ceil(merges.size() * 2 + 16));
  merge_mask_ = merges_.size() - 1;
  int32_t rank = 0;
  for (const Merge& m : merges) {
    uint64_t pair = pair_key(m.left, m.right);
    size_t i = pair_hash(pair) & merge_mask_;
    while (merges_[i].pair != pair && merges_[i].pair != ~uint64_t{0}) i = (i + 1) & merge_mask_;
    merges_[i] = {pair, rank++, m.result};  // a pair listed twice has the rank of its last place
  }
}

void Bpe::rank_scores(const std::vector<float>& scores) {
  std::vector<TokenId> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  auto score = [&](TokenId id) { return scores[static_cast<size_t>(id)]; };
  std::sort(order.begin(), order.end(), [&](TokenId a, TokenId b) { return score(a) > score(b); });
  score_ranks_.resize(scores.size());
  int32_t rank = 0;
  for (size_t i = 0; i < order.size(); i++) {
    if (i > 0 && score(order[i]) != score(order[i - 1])) rank++;
    score_ranks_[static_cast<size_t>(order[i])] = rank;
  }
}

bool Bpe::find_pair(std::string_view piece, const Symbol& left, const Symbol& right, Candidate& found) const {
  found.size = left.size + right.size;
  if (by_score_) {
    auto id = by_bytes_.find(piece.substr(left.begin, found.size));
    if (!id) return false;
    found.rank = score_ranks_[static_cast<size_t>(*id)];
    found.result = *id;
    return true;
  }
  uint64_t pair = pair_key(left.id, right.id);
  for (size_t i = pair_hash(pair) & merge_mask_; merges_[i].pair != ~uint64_t{0}; i = (i + 1) & merge_mask_) {
    if (merges_[i].pair != pair) continue;
    found.rank = merges_[i].rank;
    found.result = merges_[i].result;
    return true;
  }
  return false;
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& out, Scratch& scratch) const {
  CHECK(piece.size() < size_t{1} << 31, "piece of {} bytes", piece.size());
  if (piece.empty()) return;
  auto whole = by_bytes_.find(piece);
  if (!whole) return merge(piece, out, scratch);
  if (ignore_merges_) {
    out.push_back(*whole);
    return;
  }
  std::atomic<uint8_t>& known = whole_[static_cast<size_t>(*whole)];
  uint8_t answer = known.load(std::memory_order_relaxed);
  if (answer == kYes) {
    out.push_back(*whole);
    return;
  }
  size_t before = out.size();
  merge(piece, out, scratch);
  if (answer == kUnasked) known.store(out.size() == before + 1 && out.back() == *whole ? kYes : kNo, std::memory_order_relaxed);
}

void Bpe::merge(std::string_view piece, std::vector<TokenId>& out, Scratch& scratch) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  if (byte_level_) {
    start_symbols(piece, symbols);
  } else {
    start_characters(piece, symbols);
  }
  if (symbols.size() <= kShortPiece) {
    merge_short(piece, symbols);
  } else {
    merge_long(piece, scratch);
  }
  if (by_score_) return finish_by_score(piece, symbols, out);
  for (const Symbol& symbol : symbols) {
    if (symbol.size != 0) out.push_back(symbol.id);
  }
}

// One symbol per byte; bytes without a token are left out.
void Bpe::start_symbols(std::string_view piece, std::vector<Symbol>& symbols) const {
  for (size_t i = 0; i < piece.size(); i++) {
    TokenId id = byte_ids_[static_cast<uint8_t>(piece[i])];
    if (id < 0 && unk_) id = *unk_;
    if (id >= 0) symbols.push_back({id, 0, 0, static_cast<uint32_t>(i), 1});
  }
}

// One symbol per character. A character without a token is its byte tokens, if all are there, else unk, else nothing; with
// scores it stays as it is, since SentencePiece falls back only after merging.
void Bpe::start_characters(std::string_view piece, std::vector<Symbol>& symbols) const {
  std::optional<Symbol> unk;  // not yet added, as the next unknown character may join it
  auto add = [&](TokenId id, size_t begin, size_t size) {
    symbols.push_back({id, 0, 0, static_cast<uint32_t>(begin), static_cast<uint32_t>(size)});
  };
  for (size_t pos = 0; pos < piece.size();) {
    size_t size = utf8_decode(piece, pos).n_bytes;
    std::string_view character = piece.substr(pos, size);
    auto id = by_bytes_.find(character);
    if (by_score_) {
      add(id.value_or(-1), pos, size);
    } else if (id) {
      if (unk) symbols.push_back(*unk);
      unk.reset();
      add(*id, pos, size);
    } else if (byte_fallback_ && std::all_of(character.begin(), character.end(),
                                             [&](char c) { return byte_ids_[static_cast<uint8_t>(c)] >= 0; })) {
      for (size_t i = 0; i < size; i++) add(byte_ids_[static_cast<uint8_t>(character[i])], pos + i, 1);
    } else if (unk_ && unk && fuse_unk_) {
      unk->size += static_cast<uint32_t>(size);
    } else if (unk_) {
      if (unk) symbols.push_back(*unk);
      unk = Symbol{*unk_, 0, 0, static_cast<uint32_t>(pos), static_cast<uint32_t>(size)};
    }
    pos += size;
  }
  if (unk) symbols.push_back(*unk);
}

void Bpe::merge_short(std::string_view piece, std::vector<Symbol>& symbols) const {
  Candidate pairs[kShortPiece];
  size_t n = symbols.size();
  auto look = [&](size_t i) {
    if (!find_pair(piece, symbols[i], symbols[i + 1], pairs[i])) pairs[i].rank = kNoRank;
  };
  for (size_t i = 0; i + 1 < n; i++) look(i);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; i++) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == kNoRank) break;
    symbols[best].id = pairs[best].result;
    symbols[best].size = pairs[best].size;
    for (size_t i = best + 1; i + 1 < n; i++) symbols[i] = symbols[i + 1];
    for (size_t i = best + 1; i + 2 < n; i++) pairs[i] = pairs[i + 1];
    n--;
    if (best > 0) look(best - 1);
    if (best + 1 < n) look(best);
  }
  symbols.resize(n);
}

void Bpe::merge_long(std::string_view piece, Scratch& scratch) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  std::vector<Candidate>& heap = scratch.heap;
  heap.clear();
  auto later = [](const Candidate& a, const Candidate& b) { return a.rank != b.rank ? a.rank > b.rank : a.left > b.left; };
  auto n = static_cast<int32_t>(symbols.size());
  auto symbol = [&](int32_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };
  auto candidate = [&](int32_t left, Candidate& found) {
    found.left = left;
    return left >= 0 && symbol(left).next < n && find_pair(piece, symbol(left), symbol(symbol(left).next), found);
  };
  Candidate found{};
  for (int32_t i = 0; i < n; i++) {
    symbol(i).prev = i - 1;
    symbol(i).next = i + 1;
  }
  for (int32_t i = 0; i + 1 < n; i++) {
    if (candidate(i, found)) heap.push_back(found);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbol(best.left);
    // Outdated: one of the two has merged with another symbol since.
    if (left.size == 0 || left.next >= n || left.size + symbol(left.next).size != best.size) continue;
    Symbol& right = symbol(left.next);
    left.id = best.result;
    left.size = best.size;
    right.size = 0;
    left.next = right.next;
    if (right.next < n) symbol(right.next).prev = best.left;
    for (int32_t start : {left.prev, best.left}) {
      if (!candidate(start, found)) continue;
      heap.push_back(found);
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
}

void Bpe::finish_by_score(std::string_view piece, const std::vector<Symbol>& symbols, std::vector<TokenId>& out) const {
  bool after_unk = false;
  for (const Symbol& symbol : symbols) {
    if (symbol.size == 0) continue;
    if (symbol.id >= 0) {
      out.push_back(symbol.id);
      after_unk = false;
      continue;
    }
    std::string_view text = piece.substr(symbol.begin, symbol.size);
    bool bytes = byte_fallback_ &&
                 std::all_of(text.begin(), text.end(), [&](char c) { return byte_ids_[static_cast<uint8_t>(c)] >= 0; });
    if (bytes) {
      for (char c : text) out.push_back(byte_ids_[static_cast<uint8_t>(c)]);
    } else if (unk_ && !(fuse_unk_ && after_unk)) {
      out.push_back(*unk_);
    }
    after_unk = !bytes;
  }
}

}  // namespace minke
