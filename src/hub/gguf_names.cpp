#include "hub/gguf_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "hub/names.h"

namespace minke::hub {
namespace {

constexpr std::string_view kSuffix = ".gguf";
constexpr uint32_t kMaxParts = 10'000;

struct Part {
  std::string_view stem;
  uint32_t number = 1;
  uint32_t count = 1;
};

std::optional<uint32_t> five_digits(std::string_view text) {
  uint32_t value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.size() != 5 || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "<stem>-00001-of-00009" or a whole stem.
Part read_part(std::string_view stem) {
  constexpr size_t kTail = std::string_view("-00001-of-00009").size();
  if (stem.size() <= kTail) return {stem};
  std::string_view tail = stem.substr(stem.size() - kTail);
  auto number = five_digits(tail.substr(1, 5));
  auto count = five_digits(tail.substr(10, 5));
  bool is_part = tail[0] == '-' && tail.substr(6, 4) == "-of-" && number && count && *number >= 1 && *number <= *count;
  if (!is_part || *count > kMaxParts) return {stem};
  return {stem.substr(0, stem.size() - kTail), *number, *count};
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_sidecar(std::string_view path) {
  std::string name = ascii_lower(base_name(path));
  return name.starts_with("mmproj") || name.starts_with("mtp-") || name.starts_with("imatrix");
}

bool is_quant_name(std::string_view text) {
  std::string upper = ascii_upper(text);
  for (std::string_view float_name : {"F16", "BF16", "F32", "FP16", "FP8", "MXFP4", "MXFP4_MOE", "NVFP4"}) {
    if (upper == float_name) return true;
  }
  std::string_view rest = upper;
  if (rest.starts_with("IQ") || rest.starts_with("TQ")) {
    rest.remove_prefix(2);
  } else if (rest.starts_with("Q")) {
    rest.remove_prefix(1);
  } else {
    return false;
  }
  return rest.size() >= 3 && rest[0] >= '1' && rest[0] <= '8' && rest[1] == '_';
}

// The quantisation at the end of a name: what follows the last '-' or '.', with "UD-" where it stands before it.
std::string quant_at_end(std::string_view name) {
  size_t separator = name.find_last_of("-.");
  std::string_view label = separator == name.npos ? name : name.substr(separator + 1);
  if (!is_quant_name(label)) return "";
  constexpr std::string_view kDynamic = "UD-";
  bool is_dynamic = separator != name.npos && ascii_upper(name.substr(0, separator + 1)).ends_with(kDynamic);
  return std::string(is_dynamic ? name.substr(separator + 1 - kDynamic.size()) : label);
}

// The parts of a path from the last to the first: file, folder, folder above.
std::vector<std::string_view> names_of(std::string_view stem) {
  std::vector<std::string_view> names;
  for (;;) {
    size_t slash = stem.rfind('/');
    names.push_back(stem.substr(slash + 1));
    if (slash == stem.npos) return names;
    stem = stem.substr(0, slash);
  }
}

std::string quant_of(std::string_view stem) {
  for (std::string_view name : names_of(stem)) {
    std::string quant = quant_at_end(name);
    if (!quant.empty()) return quant;
  }
  return "";
}

// "-QUANT" (or "." or "_" before it) at the end of the file's or a folder's name, or the whole of such a name.
bool stem_matches(std::string_view stem, const std::string& upper_quant) {
  for (std::string_view name : names_of(stem)) {
    std::string upper = ascii_upper(name);
    if (upper == upper_quant) return true;
    for (char separator : {'-', '.', '_'}) {
      if (upper.ends_with(separator + upper_quant)) return true;
    }
  }
  return false;
}

Result<GgufSet> complete(const GgufSet& set) {
  if (set.missing.empty()) return set;
  return error("{}: {} of {} parts are missing, the first is {}", printable(set.stem), set.missing.size(),
               set.missing.size() + set.parts.size(), printable(set.missing.front()));
}

}  // namespace

bool is_gguf(std::string_view path) { return ascii_lower(path).ends_with(kSuffix); }

std::vector<GgufSet> gguf_sets(std::span<const std::string> paths) {
  std::map<std::pair<std::string, uint32_t>, std::map<uint32_t, std::string>> parts_of;
  for (const std::string& path : paths) {
    if (!is_gguf(path) || is_sidecar(path)) continue;
    Part part = read_part(std::string_view(path).substr(0, path.size() - kSuffix.size()));
    parts_of[{std::string(part.stem), part.count}][part.number] = path;
  }
  std::vector<GgufSet> sets;
  for (const auto& [key, parts] : parts_of) {
    const auto& [stem, count] = key;
    GgufSet set{stem, quant_of(stem), {}, {}};
    for (uint32_t number = 1; number <= count; number++) {
      auto found = parts.find(number);
      if (found != parts.end()) {
        set.parts.push_back(found->second);
      } else {
        set.missing.push_back(fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, count));
      }
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

std::string quant_list(const std::vector<GgufSet>& sets) {
  std::string text;
  for (const GgufSet& set : sets) {
    if (!text.empty()) text += ", ";
    text += printable(set.quant.empty() ? std::string_view(set.parts.front()) : std::string_view(set.quant), 100);
  }
  return text;
}

Result<GgufSet> choose_gguf(const std::vector<GgufSet>& sets, std::string_view quant) {
  if (sets.empty()) return error("there is no GGUF model");
  if (quant.empty() && sets.size() == 1) return complete(sets.front());
  std::string wanted = quant.empty() ? "Q4_K_M" : ascii_upper(quant);
  std::vector<const GgufSet*> exact;
  std::vector<const GgufSet*> loose;
  for (const GgufSet& set : sets) {
    if (ascii_upper(set.quant) == wanted) {
      exact.push_back(&set);
    } else if (stem_matches(set.stem, wanted)) {
      loose.push_back(&set);
    }
  }
  const auto& matches = exact.empty() ? loose : exact;
  if (matches.size() == 1) return complete(*matches.front());
  if (matches.empty()) {
    return error("there is no {}: choose one of {} (org/name:QUANT)", quant.empty() ? "Q4_K_M to take by default" : wanted,
                 quant_list(sets));
  }
  std::string stems;
  for (const GgufSet* set : matches) stems += fmt::format("{}{}", stems.empty() ? "" : ", ", printable(set->parts.front()));
  return error("{} models are {}: {}: name the file (org/name/FILE)", matches.size(), wanted, stems);
}

}  // namespace minke::hub
