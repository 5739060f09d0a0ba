// minke plan tables: the rows that answers rest on, with their sources.
#include "plan/tables/tables.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/language.h"
#include "cli/plan/plan.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "plan/query/query.h"
#include "plan/shape/parameters.h"

namespace minke::cli {
namespace {

struct TablesFlags {
  PlanFlags common;
  std::string which = "devices";
};

// One table; `keys` are the names of its cells in JSON.
struct Listing {
  std::vector<std::string> keys;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

std::string number_or_dash(double value) { return value > 0 ? fmt::format("{:.6g}", value) : "-"; }

std::string span_text(const plan::Uncertain& v) {
  return v.low == v.high ? fmt::format("{:.4g}", v.likely) : fmt::format("{:.4g} - {:.4g} - {:.4g}", v.low, v.likely, v.high);
}

Column source_column() { return {tr("SOURCE", "출처"), false, true}; }

Listing list_devices(const plan::Tables& tables) {
  Listing out{{"device", "class", "bf16_tflops", "fp8_tflops", "int8_tops", "memory_gb", "memory_gb_per_s", "scale_up_gb_per_s",
               "scale_out_gb_per_s", "watts", "source"},
              {{tr("DEVICE", "장치")},
               {tr("CLASS", "종류"), false, false, 2},
               {"BF16 TFLOPS", true},
               {"FP8", true},
               {"INT8", true, false, 1},
               {"GB", true},
               {"GB/s", true},
               {tr("NODE GB/s", "노드 GB/s"), true},
               {tr("NET GB/s", "망 GB/s"), true},
               {"W", true},
               source_column()},
              {}};
  for (const plan::Device& d : tables.devices()) {
    out.rows.push_back({d.name, d.device_class, number_or_dash(d.bf16.value() / 1e12), number_or_dash(d.fp8.value() / 1e12),
                        number_or_dash(d.int8.value() / 1e12), number_or_dash(d.memory.value() / 1e9),
                        number_or_dash(d.bandwidth.value() / 1e9), number_or_dash(d.scale_up.value() / 1e9),
                        number_or_dash(d.scale_out.value() / 1e9), number_or_dash(d.watts.value()),
                        plan::source_text(d.source)});
  }
  return out;
}

Listing list_models(const plan::Tables& tables) {
  Listing out{{"model", "parameters", "active", "aliases", "source"},
              {{tr("MODEL", "모델")},
               {tr("PARAMETERS", "파라미터"), true},
               {tr("ACTIVE", "활성"), true},
               {tr("ALSO", "다른 이름"), false, true},
               source_column()},
              {}};
  for (const plan::ModelRow& m : tables.models()) {
    plan::ModelParameters p = plan::model_parameters(m.config);
    out.rows.push_back({m.name, figure_text(static_cast<double>(p.total())), figure_text(static_cast<double>(p.active)),
                        fmt::format("{}", fmt::join(m.aliases, ", ")), plan::source_text(m.source)});
  }
  return out;
}

Listing list_factors(const plan::Tables& tables) {
  Listing out{{"factor", "value", "what", "source"},
              {{tr("FACTOR", "계수")},
               {tr("LOW - LIKELY - HIGH", "최소 - 예상 - 최대"), true},
               {tr("WHAT", "내용"), false, true},
               source_column()},
              {}};
  for (const plan::Factor& f : tables.factors()) {
    out.rows.push_back({f.name, span_text(f.value), f.what, plan::source_text(f.source)});
  }
  return out;
}

Listing list_prices(const plan::Tables& tables) {
  Listing out{{"of", "kind", "usd", "source"},
              {{tr("OF", "대상")}, {tr("KIND", "종류")}, {tr("DOLLARS", "달러"), true}, source_column()},
              {}};
  for (const plan::DevicePrice& p : tables.rentals()) {
    out.rows.push_back({p.device, tr("rent, hour", "임대, 시간"), span_text(p.usd), plan::source_text(p.source)});
  }
  for (const plan::DevicePrice& p : tables.purchases()) {
    out.rows.push_back({p.device, tr("purchase", "구입"), span_text(p.usd), plan::source_text(p.source)});
  }
  for (const plan::ApiPrice& p : tables.api_prices()) {
    out.rows.push_back({p.model, tr("API, 1 M tokens: hit / miss / out", "API, 100만 토큰: 적중 / 비적중 / 출력"),
                        fmt::format("{} / {} / {}", p.hit, p.miss, p.out), plan::source_text(p.source)});
  }
  return out;
}

Listing list_queries() {
  Listing out{{"query", "what"}, {{tr("QUERY", "질문")}, {tr("WHAT", "내용"), false, true}}, {}};
  for (const plan::Query& q : plan::queries()) out.rows.push_back({std::string(q.name), std::string(q.what)});
  return out;
}

Result<int> run_tables(const TablesFlags& flags) {
  plan::Tables tables = TRY(load_tables(flags.common));
  Listing listing = flags.which == "models"    ? list_models(tables)
                    : flags.which == "factors" ? list_factors(tables)
                    : flags.which == "prices"  ? list_prices(tables)
                    : flags.which == "queries" ? list_queries()
                                               : list_devices(tables);
  if (flags.common.json) {
    Json out = Json::array();
    for (const auto& cells : listing.rows) {
      Json row;
      for (size_t i = 0; i < cells.size(); i++) row[listing.keys[i]] = cells[i];
      out.push_back(row);
    }
    fmt::print("{}\n", dump_json(out, 2));
    return 0;
  }
  int width = ::isatty(STDOUT_FILENO) != 0 ? terminal_width() : 0;
  fmt::print("{}", table_text(listing.columns, listing.rows, width));
  return 0;
}

}  // namespace

void add_plan_tables(CLI::App& plan, Job& job) {
  auto flags = std::make_shared<TablesFlags>();
  CLI::App* command =
      plan.add_subcommand("tables", tr("the devices, prices and factors that answers rest on", "계산에 쓰는 장치, 가격, 계수"));
  command
      ->add_option(
          "WHICH", flags->which,
          tr("devices (the default), models, factors, prices or queries", "devices(기본값), models, factors, prices, queries"))
      ->check(CLI::IsMember({"devices", "models", "factors", "prices", "queries"}).description(""))
      ->type_name("");
  add_table_flags(*command, flags->common);
  command->footer(tr("Example: minke plan tables prices", "예: minke plan tables prices"));
  command->callback([flags, &job] { job = [flags] { return run_tables(*flags); }; });
}

}  // namespace minke::cli
