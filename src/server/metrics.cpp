#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace minke::server {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds = {0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1,
                                              2,     5,     10,   30,   60,   120, 300, 600};

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;
  Family<Counter>& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<prometheus::Gauge>& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  prometheus::Gauge& connections = gauge("minke_connections", "Open connections.").Add({});
  Family<Counter>& replies = counter("minke_http_replies_total", "Replies by route and status.");
  prometheus::Gauge& running = gauge("vllm:num_requests_running", "Requests that are answered now.").Add({});
  Family<Counter>& prompt_tokens = counter("vllm:prompt_tokens_total", "Tokens of prompts.");
  Family<Counter>& cached_tokens = counter("vllm:prefix_cache_hits", "Tokens of prompts that were found in the cache.");
  Family<Counter>& generation_tokens = counter("vllm:generation_tokens_total", "Generated tokens, thoughts included.");
  Family<Counter>& thought_tokens = counter("minke_thought_tokens_total", "Generated tokens of thoughts.");
  Family<Counter>& finished = counter("vllm:request_success_total", "Ended requests by reason.");
  Histogram& ttft = histogram("vllm:time_to_first_token_seconds", "From the request to its first token.").Add({}, kSeconds);
  Histogram& itl =
      histogram("vllm:inter_token_latency_seconds", "Mean time between the tokens of a request.").Add({}, kSeconds);
  Histogram& e2e = histogram("vllm:e2e_request_latency_seconds", "From the request to its last token.").Add({}, kSeconds);
  Histogram& queue = histogram("vllm:request_queue_time_seconds", "Waiting before the prompt was read.").Add({}, kSeconds);
  Histogram& prefill = histogram("vllm:request_prefill_time_seconds", "Reading the prompt.").Add({}, kSeconds);
  Histogram& decode = histogram("vllm:request_decode_time_seconds", "Writing thought and answer.").Add({}, kSeconds);
};

Metrics::Metrics(const std::vector<ModelInfo>& models) : families_(std::make_unique<Families>()) {
  // Rows of every model from the start, so that a rate has its zero.
  for (const ModelInfo& model : models) {
    families_->prompt_tokens.Add({{"model_name", model.id}});
    families_->generation_tokens.Add({{"model_name", model.id}});
  }
}

Metrics::~Metrics() = default;

void Metrics::connection_opened() { families_->connections.Increment(); }
void Metrics::connection_closed() { families_->connections.Decrement(); }

void Metrics::replied(std::string_view route, int status) {
  families_->replies.Add({{"route", std::string(route)}, {"status", std::to_string(status)}}).Increment();
}

void Metrics::generation_started() { families_->running.Increment(); }

void Metrics::first_token(double seconds) { families_->ttft.Observe(seconds); }

void Metrics::generation_ended(const std::string& model, const Done& done, std::string_view reason, double seconds) {
  Families& f = *families_;
  const prometheus::Labels label = {{"model_name", model}};
  f.running.Decrement();
  f.prompt_tokens.Add(label).Increment(static_cast<double>(done.n_prompt_tokens));
  f.cached_tokens.Add(label).Increment(static_cast<double>(done.n_cached_tokens));
  f.generation_tokens.Add(label).Increment(static_cast<double>(done.n_completion_tokens));
  f.thought_tokens.Add(label).Increment(static_cast<double>(done.n_thought_tokens));
  f.finished.Add({{"model_name", model}, {"finished_reason", std::string(reason)}}).Increment();
  f.e2e.Observe(seconds);
  f.queue.Observe(done.queue_s);
  f.prefill.Observe(done.prompt_s);
  const double written_s = done.thought_s + done.answer_s;
  f.decode.Observe(written_s);
  if (done.n_completion_tokens > 1) f.itl.Observe(written_s / static_cast<double>(done.n_completion_tokens - 1));
}

std::string Metrics::text(const std::vector<Gauge>& gauges) const {
  std::vector<prometheus::MetricFamily> all = families_->registry.Collect();
  for (const Gauge& gauge : gauges) {
    if (all.empty() || all.back().name != gauge.name) {
      const auto type = gauge.is_counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
      all.push_back({std::string(gauge.name), std::string(gauge.help), type, {}});
    }
    prometheus::ClientMetric& metric = all.back().metric.emplace_back();
    if (!gauge.model.empty()) metric.label = {{"model_name", gauge.model}};
    (gauge.is_counter ? metric.counter.value : metric.gauge.value) = gauge.value;
  }
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace minke::server
