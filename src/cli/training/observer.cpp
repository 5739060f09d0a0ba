#include "cli/training/observer.h"

#include <fmt/format.h>

#include <vector>

#include "base/file.h"
#include "cli/language.h"
#include "cli/training/figures_text.h"
#include "cli/training/run_request.h"
#include "train/report/curves.h"

namespace minke::cli {
namespace {

std::string samples_markdown(const StepRecord& record) {
  std::string text;
  for (const TextSample& sample : record.samples) text += fmt::format("**{}**{}\n\n", sample.prompt, sample.text);
  return text;
}

}  // namespace

TrainingObserver::TrainingObserver(const recipe::Recipe& recipe, const TrainingStart& start, ledger::Recorder recorder,
                                   RunLog log, EventFile events)
    : name_(recipe.name),
      out_(recipe.out),
      every_steps_(recipe.log.every_steps),
      start_(start),
      recorder_(std::move(recorder)),
      log_(std::move(log)),
      events_(std::move(events)),
      progress_(recipe.name, ProgressBar::Unit::kItems) {}

Result<std::unique_ptr<TrainingObserver>> TrainingObserver::start(const recipe::Recipe& recipe, const TrainingStart& start) {
  ledger::RunRequest request = TRY(run_request(recipe, start.step > 0, start.n_threads));
  std::string ledger_path = TRY(ledger::default_path());
  ledger::Recorder recorder = TRY(ledger::Recorder::start(ledger_path, request));
  RunLog log = TRY(RunLog::open(recipe.out + "/log.jsonl", start.step));
  EventFile events = TRY(EventFile::create(recipe.out, start.step));
  return std::unique_ptr<TrainingObserver>(
      new TrainingObserver(recipe, start, std::move(recorder), std::move(log), std::move(events)));
}

Status TrainingObserver::on_step(const StepRecord& record) {
  Status written = recorder_.update(record.tokens - start_.tokens, record.flops - start_.flops);
  if (!written && !has_warned_) {
    progress_.note(written.error().message);
    has_warned_ = true;
  }
  bool is_remarkable = record.validation_loss.has_value() || !record.samples.empty() || !record.skipped.empty();
  if (record.step % every_steps_ == 0 || is_remarkable) TRY(write(record));
  show(record);
  return {};
}

Status TrainingObserver::write(const StepRecord& record) {
  TRY(log_.append(record));
  std::vector<Scalar> scalars = {{"train/loss", record.loss},
                                 {"train/cross_entropy", record.cross_entropy},
                                 {"train/balance_loss", record.balance_loss},
                                 {"train/mtp_loss", record.mtp_loss},
                                 {"train/grad_norm", record.grad_norm},
                                 {"train/lr", record.lr},
                                 {"speed/tokens_per_s", record.tokens_per_s},
                                 {"speed/mfu", record.mfu}};
  std::vector<std::string> tags;
  tags.reserve(record.figures.size());
  for (const Figure& figure : record.figures) scalars.push_back({tags.emplace_back("train/" + figure.name), figure.value});
  if (record.validation_loss) scalars.push_back({"validation/loss", *record.validation_loss});
  TRY(events_.scalars(record.step, scalars));
  if (record.samples.empty()) return {};
  return events_.text(record.step, "samples", samples_markdown(record));
}

void TrainingObserver::show(const StepRecord& record) {
  if (!record.skipped.empty()) {
    progress_.note(fmt::format("{} {} {}: {}", tr("step", "단계"), record.step, tr("skipped", "건너뜀"), record.skipped));
  }
  const ledger::RunFigures& figures = recorder_.figures();
  std::string tail = fmt::format("{} {}  {} {:.4f}  {} tok/s", tr("step", "단계"), record.step, tr("loss", "손실"),
                                 record.cross_entropy, count_text(static_cast<int64_t>(record.tokens_per_s)));
  if (record.mfu > 0) tail += fmt::format("  {:.0f}% {}", 100 * record.mfu, tr("of peak", "최대 대비"));
  // Over the whole run, so that validation and checkpoints count, too.
  int64_t done = record.position - start_.position;
  if (done > 0 && record.total > record.position) {
    double left = figures.wall_s * static_cast<double>(record.total - record.position) / static_cast<double>(done);
    tail += fmt::format("  {} {}", seconds_text(left), tr("left", "남음"));
  }
  auto money = ledger::money_of(recorder_.rates(), figures);
  bool is_estimated = figures.energy_source == ledger::EnergySource::kEstimated;
  tail += "  " + (money ? money_text(*money, recorder_.rates().currency) : energy_text(figures.energy_j, is_estimated));
  progress_.update(static_cast<uint64_t>(record.position), static_cast<uint64_t>(record.total), tail);
}

Status TrainingObserver::finish(ledger::RunState state, std::string_view reason) {
  progress_.clear();
  Status closed = recorder_.close(state, reason);
  std::vector<StepRecord> records = TRY(read_log(out_ + "/log.jsonl"));
  if (!records.empty()) TRY(write_file(out_ + "/curves.svg", run_curves_svg(name_, records)));
  return closed;
}

}  // namespace minke::cli
