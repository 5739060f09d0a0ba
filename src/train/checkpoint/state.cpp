#include "train/checkpoint/state.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "format/folder.h"

namespace minke {
namespace {

constexpr size_t kDigestChunk = size_t{8} << 20;

std::string digest_of(const Json& json) {
  Digest digest = Digest::sha256();
  digest.update(dump_json(json));
  return digest.finish_hex();
}

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Status check_finite(const CheckpointState& state) {
  bool finite = std::isfinite(state.flops) && std::isfinite(state.validation_loss.value_or(0)) &&
                std::isfinite(state.best_validation_loss.value_or(0));
  for (double norm : state.grad_norms) finite = finite && std::isfinite(norm);
  if (!finite) return error("checkpoint of step {}: its state has numbers that are not finite", state.step);
  return {};
}

// Reads the keys of state.json; a wrong type is an error that names the key.
class StateReader {
 public:
  StateReader(const Json& json, const std::string& where) : json_(json), where_(where) {}

  Result<int64_t> integer(const char* key) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number_integer()) return expected(key, "an integer");
    return value->get<int64_t>();
  }
  Result<double> number(const char* key) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_number()) return expected(key, "a number");
    return value->get<double>();
  }
  Result<std::optional<double>> number_or_null(const char* key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_null()) return std::optional<double>();
    return TRY(number(key));
  }
  Result<std::string> string(const char* key) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_string()) return expected(key, "a string");
    return value->get<std::string>();
  }
  Result<std::string> any(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return expected(key, "a value");
    return dump_json(*value);
  }
  Result<std::vector<double>> numbers(const char* key) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_array()) return expected(key, "a list of numbers");
    std::vector<double> numbers;
    for (const Json& item : *value) {
      if (!item.is_number()) return expected(key, "a list of numbers");
      numbers.push_back(item.get<double>());
    }
    return numbers;
  }
  Result<std::vector<FileDigest>> files(const char* key) {
    const Json* value = find(key);
    if (value == nullptr || !value->is_object()) return expected(key, "an object of files");
    std::vector<FileDigest> files;
    for (const auto& [name, entry] : value->items()) {
      StateReader reader(entry, fmt::format("{}: {}", where_, name));
      const int64_t n_bytes = TRY(reader.integer("bytes"));
      files.push_back({name, static_cast<uint64_t>(n_bytes), TRY(reader.string("sha256"))});
    }
    return files;
  }

 private:
  const Json* find(const char* key) const {
    if (!json_.is_object()) return nullptr;
    auto it = json_.find(key);
    return it == json_.end() ? nullptr : &*it;
  }
  tl::unexpected<Error> expected(const char* key, std::string_view what) {
    return error("{}: key \"{}\": expected {}", where_, key, what);
  }

  const Json& json_;
  std::string where_;
};

}  // namespace

Result<FileDigest> digest_file(const std::string& folder, const std::string& name) {
  const auto file = TRY(MappedFile::open(path_in(folder, name)));
  Digest digest = Digest::sha256();
  const std::span<const std::byte> bytes = file->bytes();
  for (size_t at = 0; at < bytes.size(); at += kDigestChunk) {
    digest.update(bytes.subspan(at, std::min(kDigestChunk, bytes.size() - at)));
  }
  return FileDigest{name, bytes.size(), digest.finish_hex()};
}

Result<std::string> write_state(const CheckpointState& state, const std::vector<FileDigest>& files) {
  TRY(check_finite(state));
  Json json = Json::object();
  json["format_version"] = kCheckpointFormat;
  json["step"] = state.step;
  json["tokens"] = state.tokens;
  json["optimizer_steps"] = state.optimizer_steps;
  json["flops"] = state.flops;
  json["validation_loss"] = optional_number(state.validation_loss);
  json["best_validation_loss"] = optional_number(state.best_validation_loss);
  json["recipe_hash"] = state.recipe_hash;
  json["parent"] = state.parent;
  json["rng"] = TRY(parse_json(state.rng, "rng of a checkpoint"));
  json["data_cursor"] = TRY(parse_json(state.data_cursor, "data cursor of a checkpoint"));
  json["grad_norms"] = state.grad_norms;
  json["files"] = Json::object();
  for (const FileDigest& file : files) json["files"][file.name] = {{"bytes", file.n_bytes}, {"sha256", file.sha256}};
  // Of the JSON on one line, without this key.
  json["sha256"] = digest_of(json);
  return dump_json(json, 1) + "\n";
}

Result<StateFile> parse_state(std::string_view text, const std::string& where) {
  Json json = TRY(parse_json(text, where));
  StateReader reader(json, where);
  const int64_t version = TRY(reader.integer("format_version"));
  if (version != kCheckpointFormat) {
    return error("{}: format_version {}, expected {}; this checkpoint was written by another minke", where, version,
                 kCheckpointFormat);
  }
  const std::string written = TRY(reader.string("sha256"));
  json.erase("sha256");
  if (const std::string found = digest_of(json); found != written) {
    return error("{}: damaged: its sha256 is {}, expected {}", where, found, written);
  }
  StateFile file;
  CheckpointState& s = file.state;
  s.step = TRY(reader.integer("step"));
  s.tokens = TRY(reader.integer("tokens"));
  s.optimizer_steps = TRY(reader.integer("optimizer_steps"));
  s.flops = TRY(reader.number("flops"));
  s.validation_loss = TRY(reader.number_or_null("validation_loss"));
  s.best_validation_loss = TRY(reader.number_or_null("best_validation_loss"));
  s.recipe_hash = TRY(reader.string("recipe_hash"));
  s.parent = TRY(reader.string("parent"));
  s.rng = TRY(reader.any("rng"));
  s.data_cursor = TRY(reader.any("data_cursor"));
  s.grad_norms = TRY(reader.numbers("grad_norms"));
  file.files = TRY(reader.files("files"));
  return file;
}

}  // namespace minke
