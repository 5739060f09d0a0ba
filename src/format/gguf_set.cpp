// Opening GGUF files: one, or the set of parts that `<prefix>-%05d-of-%05d.gguf` belongs to. Source: ggml docs/gguf.md.
#include <filesystem>

#include "base/file.h"
#include "format/gguf.h"
#include "format/gguf_parts.h"
#include "format/quote.h"

namespace minke {
namespace {

Result<GgufFile> open_one(const std::string& path) {
  auto file = TRY(MappedFile::open(path));
  GgufFile out = TRY(parse_gguf(file->bytes(), path));
  out.tensors.keep(std::move(file));
  return out;
}

Status expect_integer(const GgufFile& part, const std::string& path, std::string_view key, int64_t expected) {
  int64_t got = TRY_IN(path, part.metadata.integer(key));
  if (got != expected) return error("{}: key {}: expected {}, got {}", path, quote_name(key), expected, got);
  return {};
}

Status check_parts_exist(const GgufPartName& name, const std::string& path) {
  int64_t n_missing = 0;
  std::string first;
  for (int64_t i = 0; i < name.n_parts; i++) {
    std::string part = name.path_of(i);
    std::error_code unreadable;
    if (std::filesystem::exists(part, unreadable)) continue;
    if (n_missing++ == 0) first = part;
  }
  if (n_missing == 0) return {};
  return error("{}: {} of {} parts are missing, the first is {}", path, n_missing, name.n_parts, first);
}

Result<GgufFile> open_parts(const GgufPartName& name, const std::string& path) {
  TRY(check_parts_exist(name, path));
  GgufFile whole;
  int64_t n_tensors = 0;
  for (int64_t i = 0; i < name.n_parts; i++) {
    std::string part_path = name.path_of(i);
    GgufFile part = TRY(open_one(part_path));
    TRY(expect_integer(part, part_path, "split.count", name.n_parts));
    TRY(expect_integer(part, part_path, "split.no", i));
    if (i == 0) {
      n_tensors = TRY_IN(part_path, part.metadata.integer("split.tensors.count"));
      whole = std::move(part);
      continue;
    }
    TRY(expect_integer(part, part_path, "split.tensors.count", n_tensors));
    if (part.alignment != whole.alignment) {
      return error("{}: key \"general.alignment\": expected {} as in the first part, got {}", part_path, whole.alignment,
                   part.alignment);
    }
    for (const TensorMap::Entry& entry : part.tensors.entries()) {
      if (!whole.tensors.add(entry.name, entry.view))
        return error("{}: tensor {} is also in another part", part_path, quote_name(entry.name));
    }
    for (const auto& file : part.tensors.files()) whole.tensors.keep(file);
  }
  if (static_cast<int64_t>(whole.tensors.size()) != n_tensors) {
    return error("{}: key \"split.tensors.count\": expected {} tensors in {} parts, got {}", path, n_tensors, name.n_parts,
                 whole.tensors.size());
  }
  return whole;
}

}  // namespace

std::string GgufPartName::path_of(int64_t part_index) const {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, part_index + 1, n_parts);
}

std::optional<GgufPartName> gguf_part_name(const std::string& path) {
  constexpr size_t kSuffix = std::string_view("-00001-of-00001.gguf").size();
  if (path.size() < kSuffix) return std::nullopt;
  std::string_view suffix = std::string_view(path).substr(path.size() - kSuffix);
  auto number = [&](size_t begin) -> int64_t {
    int64_t value = 0;
    for (char c : suffix.substr(begin, 5)) {
      if (c < '0' || c > '9') return 0;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  int64_t part = number(1);
  int64_t n_parts = number(10);
  if (suffix[0] != '-' || suffix.substr(6, 4) != "-of-" || suffix.substr(15) != ".gguf") return std::nullopt;
  if (part < 1 || part > n_parts) return std::nullopt;
  return GgufPartName{path.substr(0, path.size() - kSuffix), part - 1, n_parts};
}

Result<GgufFile> open_gguf(const std::string& path) {
  auto name = gguf_part_name(path);
  if (name && name->n_parts > 1) return open_parts(*name, path);
  GgufFile file = TRY(open_one(path));
  if (file.metadata.has("split.count")) {
    int64_t n_parts = TRY_IN(path, file.metadata.integer("split.count"));
    if (n_parts > 1) {
      return error("{}: is one of {} parts, but is not named like one; rename it to <name>-00001-of-{:05}.gguf and so on", path,
                   n_parts, n_parts);
    }
  }
  return file;
}

}  // namespace minke
