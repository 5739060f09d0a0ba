#include "cli/service/service.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "base/file.h"
#include "cli/commit.h"
#include "cli/language.h"
#include "cli/model_argument.h"
#include "page/places.h"
#include "page/services.h"
#include "plan/request/request.h"
#include "serve/model_backend.h"
#include "serve/page_files.h"
#include "server/app.h"
#include "server/net/http_server.h"

namespace minke::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxKeyFileBytes = size_t{1} << 20;

void add_access_flags(CLI::App& command, ServiceFlags& f) {
  const char* group = tr("Who may come in", "접근");
  command
      .add_option("--host", f.host,
                  tr("IP address to listen on; any but loopback needs an API key (default: 127.0.0.1)",
                     "들을 IP 주소. 루프백이 아니면 API 키가 필요합니다 (기본: 127.0.0.1)"))
      ->type_name("IP")
      ->group(group);
  command.add_option("-p,--port", f.port, tr("0: any that is free (default: 8080)", "0이면 빈 포트 아무거나 (기본: 8080)"))
      ->type_name("N")
      ->group(group);
  command
      .add_option(
          "--api-key", f.api_keys,
          tr("a key that clients must send, may be repeated; others on this machine can see it in the list of processes",
             "클라이언트가 보내야 하는 키, 여러 번 가능. 프로세스 목록에서 보일 수 있습니다"))
      ->type_name("KEY")
      ->group(group);
  command
      .add_option(
          "--api-key-file", f.api_key_file,
          tr("a file with a key in each line (also: MINKE_API_KEY)", "한 줄에 키 하나씩 적은 파일 (또는 MINKE_API_KEY)"))
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--allow-origin", f.allowed_origins,
                  tr("pages of this origin may use the server, may be repeated: https://example.org",
                     "이 출처의 페이지에 허용, 여러 번 가능: https://example.org"))
      ->type_name("ORIGIN")
      ->group(group);
  command
      .add_option("--allow-host", f.allowed_hosts,
                  tr("a name that clients may call this machine by, beside the address",
                     "주소 말고 클라이언트가 이 컴퓨터를 부를 수 있는 이름"))
      ->type_name("NAME")
      ->group(group);
  command.add_option("--tls-cert", f.tls_certificate, tr("PEM file with the chain of certificates", "인증서 체인 PEM 파일"))
      ->type_name("FILE")
      ->group(group);
  command.add_option("--tls-key", f.tls_key, tr("PEM file with its key", "그 키의 PEM 파일"))->type_name("FILE")->group(group);
}

void add_limit_flags(CLI::App& command, ServiceFlags& f) {
  const char* group = tr("Limits", "한도");
  command
      .add_option("--max-requests", f.max_requests,
                  tr("answers that run or wait at a time, at most (default: 256)",
                     "동시에 실행되거나 기다리는 답의 최대 수 (기본: 256)"))
      ->type_name("N")
      ->check(CLI::Range(1, 4096).description(""))
      ->group(group);
  command
      .add_option("--max-requests-per-key", f.max_requests_per_key,
                  tr("the same for each key (default: --max-requests)", "키마다의 최대 수 (기본: --max-requests)"))
      ->type_name("N")
      ->check(CLI::Range(1, 4096).description(""))
      ->group(group);
  command
      .add_option("--requests-per-minute", f.requests_per_minute,
                  tr("of each key (default: no limit)", "키마다의 분당 요청 수 (기본: 무제한)"))
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""))
      ->group(group);
}

void add_memory_flags(CLI::App& command, ServiceFlags& f) {
  command
      .add_option("-c,--ctx,--context", f.context_tokens,
                  tr("tokens of context (default: the model's, at most 32768)", "문맥 길이 (기본: 모델의 값, 최대 32768)"))
      ->type_name("N")
      ->check(CLI::PositiveNumber.description(""));
  command
      .add_option("--cache-memory", f.cache_bytes,
                  tr("for the KV cache of each model, which all its requests share, such as 2G (default: 8 contexts, at most a "
                     "quarter of the memory)",
                     "모델마다 모든 요청이 함께 쓰는 KV 캐시, 예: 2G (기본: 문맥 8개분, 메모리의 1/4까지)"))
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
  command
      .add_option(
          "--mem", f.memory_bytes,
          tr("for the weights of each model, such as 16G: experts that do not fit are read from disk when they are wanted",
             "모델마다 가중치에 쓸 메모리(예: 16G): 다 못 올리는 전문가는 필요할 때 디스크에서 읽음"))
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
  command
      .add_option(
          "--disk-cache", f.disk_cache_bytes,
          tr("keep what the models have read of your chats on disk, at most SIZE such as 10G, so that going on with a chat "
             "need not read it again, after a restart neither; encrypted under the key of the chats, only while these "
             "are kept and unlocked, and gone when one of them is deleted (default: off)",
             "모델이 읽은 대화를 디스크에 최대 SIZE(예: 10G)까지 두어, 재시작 뒤에도 대화를 다시 읽지 않고 이어 갑니다. 대화의 "
             "열쇠로 암호화하고, 대화를 보관하며 잠금이 풀려 있을 때만 쓰고, 대화 하나를 지우면 모두 지웁니다 (기본: 끔)"))
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("SIZE");
  add_kv_flag(command, f.kv);
  add_threads_flag(command, f.n_threads);
}

Result<std::vector<server::ApiKey>> read_keys(const ServiceFlags& flags) {
  std::vector<server::ApiKey> keys;
  const auto add = [&](std::string secret) { keys.push_back({fmt::format("key{}", keys.size() + 1), std::move(secret)}); };
  for (const std::string& key : flags.api_keys) add(key);
  if (const char* key = std::getenv("MINKE_API_KEY"); key != nullptr && *key != '\0') add(key);
  if (flags.api_key_file.empty()) return keys;
  const std::string text = TRY(read_file(flags.api_key_file, kMaxKeyFileBytes));
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty() && line[0] != '#') add(std::move(line));
    begin = end + 1;
  }
  if (keys.empty()) return error("{}: has no key: one in each line", flags.api_key_file);
  return keys;
}

server::DeepSeekProfile profile_of(const std::string& name) {
  using enum server::DeepSeekProfile;
  return name == "r1" ? kR1 : name == "v3.2" ? kV32 : name == "v4" ? kV4 : kLenient;
}

// What a model is called in requests: a name on the hub as it is, of a path its last part.
std::string model_id(const ServiceModel& model) {
  std::error_code code;
  if (!fs::exists(model.name, code)) return model.name;
  fs::path path = fs::path(model.name).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  if (path == "." || path == "..") path = fs::canonical(path, code);
  return path.extension() == ".gguf" || path.extension() == ".safetensors" ? path.stem() : path.filename();
}

Result<std::unique_ptr<serve::ModelBackend>> load_models(const ServiceFlags& flags, const std::vector<ServiceModel>& models,
                                                         const Context& context) {
  serve::BackendOptions options;
  for (const ServiceModel& model : models) {
    options.models.push_back({model_id(model), model.path, model.bundled, flags.context_tokens, flags.template_file});
  }
  options.context = context;
  options.kv = flags.kv;
  options.cache_bytes = flags.cache_bytes;
  options.weight_bytes = flags.memory_bytes;
  auto backend = TRY(serve::ModelBackend::create(options));
  for (const std::string& warning : backend->warnings()) fmt::print(stderr, "minke: {}\n", warning);
  return backend;
}

// What the models do at the moment. The speed is that since it was asked for last, a second ago at least.
class LiveSpeed {
 public:
  explicit LiveSpeed(const serve::ModelBackend& backend) : backend_(backend) {}

  page::LiveFigures now() {
    const auto time = std::chrono::steady_clock::now();
    std::lock_guard lock(mutex_);
    const double elapsed_s = std::chrono::duration<double>(time - asked_).count();
    if (elapsed_s >= 1) {
      const int64_t n_tokens = backend_.n_tokens();
      tokens_per_s_ = static_cast<double>(n_tokens - n_tokens_) / elapsed_s;
      n_tokens_ = n_tokens;
      asked_ = time;
    }
    return {tokens_per_s_, static_cast<int64_t>(backend_.n_requests()), std::nullopt};
  }

 private:
  const serve::ModelBackend& backend_;
  std::mutex mutex_;  // of what follows
  std::chrono::steady_clock::time_point asked_ = std::chrono::steady_clock::now();
  int64_t n_tokens_ = 0;
  double tokens_per_s_ = 0;
};

page::StoreWatch watch_store(serve::ModelBackend& backend, uint64_t max_bytes) {
  page::StoreWatch watch;
  watch.opened = [&backend, max_bytes](const store::PagesPlace& place) {
    const auto opened = backend.open_disk_cache({place.folder, static_cast<int64_t>(max_bytes), place.key.bytes(),
                                                 fmt::format("minke {} {}", kProgramVersion, kCommit)});
    if (!opened) fmt::print(stderr, "minke: --disk-cache: {}; going on without\n", opened.error().message);
  };
  watch.closing = [&backend] { backend.close_disk_cache(); };
  watch.deleted = [&backend] { return backend.forget_prompts(); };
  return watch;
}

Result<std::unique_ptr<server::PageServices>> open_services(const ServiceFlags& flags, LiveSpeed& speed,
                                                            serve::ModelBackend& backend) {
  page::ServicesOptions options;
  options.places = TRY(page::default_places());
  if (flags.disk_cache_bytes > 0) options.watch = watch_store(backend, flags.disk_cache_bytes);
  options.live = [&speed] { return speed.now(); };
  options.plan = [](const std::string& question) -> server::Outcome<std::string> {
    auto answer = plan::answer_request_text(question);
    if (!answer) return tl::unexpected(server::invalid("", "{}", answer.error().message));
    return std::move(*answer);
  };
  return page::make_services(std::move(options));
}

Result<std::unique_ptr<server::HttpServer>> listen(const ServiceFlags& flags, server::App& app, bool may_move) {
  server::HttpServerOptions options;
  options.address = flags.host;
  options.port = flags.port;
  options.tls = {flags.tls_certificate, flags.tls_key};
  options.handles_signals = true;
  auto made = server::HttpServer::create(options, app);
  if (made || !may_move || flags.port == 0) return made;
  options.port = 0;
  return server::HttpServer::create(options, app);
}

std::string count_text(int64_t n) {
  const auto count = static_cast<double>(n);
  return n >= 1'000'000'000 ? fmt::format("{:.1f} B", count / 1e9) : fmt::format("{:.1f} M", count / 1e6);
}

void print_welcome(const server::HttpServer& http, const serve::ModelBackend& backend) {
  for (const server::ModelInfo& model : backend.models()) {
    fmt::print("{}",
               fmt::format(fmt::runtime(tr("{}: {}, {} parameters, {}, context {}\n", "{}: {}, 매개변수 {}, {}, 문맥 {}\n")),
                           model.id, model.architecture, count_text(model.n_parameters), model.dtype, model.context));
  }
  fmt::print("{}", fmt::format(fmt::runtime(tr("{0}   (the page; APIs under {0}/v1; Ctrl-C ends)\n",
                                               "{0}   (페이지. API는 {0}/v1 아래, Ctrl-C로 끝냅니다)\n")),
                               http.url()));
  std::fflush(stdout);
}

}  // namespace

void add_service_flags(CLI::App& command, ServiceFlags& f) {
  add_memory_flags(command, f);
  command.add_option("--chat-template", f.template_file,
                     tr("Jinja file in place of the models' own templates", "모델의 템플릿 대신 쓸 Jinja 파일"));
  command
      .add_option("--profile", f.profile,
                  tr("hold to what DeepSeek's API did about thoughts in the history: r1, v3.2, v4 (default: lenient)",
                     "기록 속의 생각을 DeepSeek API의 어느 시기처럼 다룰지: r1, v3.2, v4 (기본: lenient)"))
      ->check(CLI::IsMember({"lenient", "r1", "v3.2", "v4"}));
  add_access_flags(command, f);
  add_limit_flags(command, f);
}

Result<int> run_service(const ServiceFlags& flags, const std::vector<ServiceModel>& models, bool may_move) {
  server::GateOptions gate;
  gate.keys = TRY(read_keys(flags));
  gate.address = flags.host;
  gate.allowed_hosts = flags.allowed_hosts;
  gate.allowed_origins = flags.allowed_origins;
  gate.requests_per_minute = flags.requests_per_minute;
  Machine machine = TRY(make_machine(flags.n_threads));
  auto backend = TRY(load_models(flags, models, machine.context));
  LiveSpeed speed(*backend);
  auto services = TRY(open_services(flags, speed, *backend));
  server::ServiceOptions service;
  service.version = kProgramVersion;
  service.deepseek = profile_of(flags.profile);
  service.files = serve::page_files();
  service.max_generations = flags.max_requests;
  service.max_generations_per_caller = flags.max_requests_per_key > 0 ? flags.max_requests_per_key : flags.max_requests;
  auto app = TRY(server::App::create(std::move(service), std::move(gate), *backend, services.get()));
  auto http = TRY(listen(flags, *app, may_move));
  print_welcome(*http, *backend);
  http->run();
  return 0;
}

}  // namespace minke::cli
