#include "cli/model_argument.h"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "cli/language.h"
#include "hub/cached.h"
#include "hub/options.h"
#include "hub/reference.h"
#include "model/kv_cache.h"
#include "train/checkpoint/folders.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxThreads = 1024;

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

bool is_folder(const fs::path& path) {
  std::error_code code;
  return fs::is_directory(path, code);
}

// Nobody writes a name on the hub like this.
bool looks_like_path(const std::string& text) {
  return text.starts_with("/") || text.starts_with("./") || text.starts_with("../") || text.starts_with("~") || text == "." ||
         text == "..";
}

}  // namespace

Result<std::string> resolve_model(const std::string& argument) {
  if (argument.empty()) return error("the name of the model is empty: give a path or org/name");
  if (is_there(argument)) {
    if (!is_folder(argument)) return argument;
    const std::vector<CheckpointFolder> checkpoints = TRY(list_checkpoints(argument));
    return checkpoints.empty() ? argument : checkpoints.back().path;
  }
  if (looks_like_path(argument))
    return error("{}: {}", argument, tr("no such file or folder", "그런 파일이나 폴더가 없습니다"));
  auto reference = hub::parse_reference(argument);
  if (!reference) {
    const char* text =
        tr("{}: no such file or folder, and no name of a model on the hub ({}); `minke ls` shows the models that are here",
           "{}: 그런 파일이나 폴더가 없고, 허브의 모델 이름도 아닙니다 ({}). 내려받은 모델은 `minke ls`로 볼 수 있습니다");
    return error("{}", fmt::format(fmt::runtime(text), argument, reference.error().message));
  }
  hub::HubOptions options = TRY(hub::from_environment());
  auto path = hub::resolve_cached(*reference, options);
  if (path) return *path;
  // A cached model of the same repository gives a better reason (a missing file, another quantisation) than "not there".
  if (hub::find_cached(*reference, options)) return tl::unexpected<Error>(path.error());
  const char* text = tr(
      "{}: no such file or folder here, and no such model in the cache {}: `minke pull {}` downloads it",
      "{}: 여기에 그런 파일이나 폴더가 없고, 캐시 {}에도 그런 모델이 없습니다. `minke pull {}` 명령으로 내려받을 수 있습니다");
  return error("{}", fmt::format(fmt::runtime(text), argument, options.cache_dir, hub::to_text(*reference)));
}

Result<hub::ModelReference> hub_reference(const std::string& name, const std::string& revision) {
  hub::ModelReference reference = TRY(hub::parse_reference(name));
  if (revision.empty()) return reference;
  if (!reference.revision.empty()) return error("{}: has a revision already; leave --revision {} out", name, revision);
  reference.revision = revision;
  return reference;
}

Result<Machine> make_machine(int n_threads) {
  Machine machine;
  machine.context.isa = TRY(choose_isa());
  if (n_threads == 0) n_threads = default_n_threads(detect_cpu());
  machine.pool = std::make_unique<ThreadPool>(n_threads);
  machine.context.pool = machine.pool.get();
  return machine;
}

void add_threads_flag(CLI::App& command, int& n_threads) {
  command
      .add_option("-t,--threads", n_threads,
                  tr("threads to compute with (default: the physical cores we may use)",
                     "계산에 쓸 스레드 수 (기본값: 쓸 수 있는 물리 코어 수)"))
      ->type_name("N")
      ->check(CLI::Range(1, kMaxThreads).description(""));
}

void add_kv_flag(CLI::App& command, DType& dtype) {
  std::vector<std::string> names;
  for (DType one : kv_dtypes()) names.emplace_back(dtype_name(one));
  command
      .add_option_function<std::string>(
          "--kv", [&dtype](const std::string& name) { dtype = *dtype_from_name(name); },
          fmt::format(
              fmt::runtime(tr("number format of the KV cache: {} (default: {}); q8_0 is half of f16 and fastest at depth",
                              "KV 캐시의 수 형식: {} (기본값: {}), q8_0은 f16의 절반이며 긴 문맥에서 가장 빠릅니다")),
              fmt::join(names, ", "), dtype_name(dtype)))
      ->type_name("DTYPE")
      ->check(CLI::IsMember(names).description(""));
}

}  // namespace minke::cli
