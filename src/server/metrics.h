// What /metrics says, in Prometheus' text format. Names that vLLM has are used where they mean the same, so that its dashboards
// work. Labels are models, routes and statuses: never a prompt, a user or an address.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/model/backend.h"
#include "server/model/reply_event.h"

namespace minke::server {

class Metrics {
 public:
  explicit Metrics(const std::vector<ModelInfo>& models);
  ~Metrics();

  void connection_opened();
  void connection_closed();
  void replied(std::string_view route, int status);
  void generation_started();
  // Seconds since the request came; between tokens only when there were two.
  void first_token(double seconds);
  void generation_ended(const std::string& model, const Done& done, std::string_view reason, double seconds);
  // With what the backend says of itself.
  std::string text(const std::vector<Gauge>& gauges) const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace minke::server
