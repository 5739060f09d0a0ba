// Bytes as a shard. Once as they are, and once with the digests made right, so that what lies behind them is reached; a shard
// that is accepted is read to its end.
#include <cstdlib>
#include <cstring>

#include "data/shard.h"
#include "data/shard_format.h"

namespace {

using namespace minke;

void require(bool condition) {
  if (!condition) std::abort();
}

void use(std::span<const std::byte> bytes) {
  const auto shard = Shard::parse(bytes, "fuzz");
  if (!shard) {
    require(shard.error().message.find('\n') == std::string::npos);
    return;
  }
  const ShardInfo& info = shard->info();
  std::vector<TokenId> tokens;
  std::vector<uint8_t> mask;
  for (int64_t i = 0; i < info.n_documents; i++) {
    shard->append_tokens(tokens, shard->document_begin(i), shard->document_end(i));
    shard->append_mask(mask, shard->document_begin(i), shard->document_end(i));
    (void)shard->document_hash(i);
  }
  int64_t n_counted = 0;
  for (uint8_t counts : mask) n_counted += counts;
  require(static_cast<int64_t>(tokens.size()) == info.n_tokens && n_counted == info.n_loss_tokens);
  for (TokenId token : tokens) require(token >= 0 && token < info.vocab_size);
}

void repair(std::vector<std::byte>& bytes) {
  if (bytes.size() < kShardHeaderBytes) return;
  ShardHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  for (ShardSection* section : {&header.tokens, &header.mask, &header.documents}) {
    const bool inside = section->offset <= bytes.size() && section->n_bytes <= bytes.size() - section->offset;
    if (inside) section->digest = shard_digest(std::span(bytes).subspan(section->offset, section->n_bytes));
  }
  header.digest = shard_digest(std::as_bytes(std::span(&header, 1)).first(offsetof(ShardHeader, digest)));
  std::memcpy(bytes.data(), &header, sizeof(header));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  use(bytes);
  std::vector<std::byte> repaired(bytes.begin(), bytes.end());
  repair(repaired);
  use(repaired);
  return 0;
}
