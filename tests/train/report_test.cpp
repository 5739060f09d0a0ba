// Logs of a run: no step twice after a resume, event files byte for byte as TensorBoard writes them, curves that are XML.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "support/support.h"
#include "train/report/curves.h"
#include "train/report/event_file.h"
#include "train/report/run_log.h"

namespace minke {
namespace {

using testing::read_test_file;
using testing::repository_path;
using testing::TemporaryDirectory;
using testing::value_of;

StepRecord step(int64_t n) {
  StepRecord record;
  record.step = n;
  record.tokens = 100 * n;
  record.loss = record.cross_entropy = 8.0 / static_cast<double>(n);
  record.lr = 1e-3;
  record.tokens_per_s = 4000;
  return record;
}

void append_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::app) << text; }

TEST(RunLog, ResumingCutsTheStepsThatAreDoneAgain) {
  TemporaryDirectory folder;
  std::string path = folder.file("log.jsonl");
  {
    RunLog log = value_of(RunLog::open(path, 0));
    for (int64_t n = 1; n <= 5; n++) value_of(log.append(step(n)));
    EXPECT_EQ(value_of(read_log(path)).size(), 5u);  // on disk before the log is closed
  }
  append_text(path, "{\"step\": 6, \"tok");  // killed while writing
  EXPECT_EQ(value_of(read_log(path)).size(), 5u);
  RunLog log = value_of(RunLog::open(path, 3));
  StepRecord again = step(4);
  again.validation_loss = 1.25;
  again.samples = {{"Once", " upon \"a\"\ntime"}};
  value_of(log.append(again));
  std::vector<StepRecord> records = value_of(read_log(path));
  ASSERT_EQ(records.size(), 4u);
  for (size_t i = 0; i < 4; i++) EXPECT_EQ(records[i].step, static_cast<int64_t>(i) + 1);
  EXPECT_EQ(records[3].validation_loss, 1.25);
  EXPECT_EQ(records[2].validation_loss, std::nullopt);
  Json last = value_of(parse_json(testing::read_test_lines(path).at(3), path));
  EXPECT_EQ(last["samples"][0]["text"], " upon \"a\"\ntime");
}

TEST(RunLog, AStepThatIsNotFiniteStaysReadable) {
  TemporaryDirectory folder;
  std::string path = folder.file("log.jsonl");
  RunLog log = value_of(RunLog::open(path, 0));
  StepRecord bad = step(1);
  bad.loss = std::numeric_limits<double>::quiet_NaN();
  bad.grad_norm = std::numeric_limits<double>::infinity();
  bad.skipped = "the loss is not finite";
  value_of(log.append(bad));
  EXPECT_TRUE(std::isnan(value_of(read_log(path)).at(0).loss));
  EXPECT_NE(read_test_file(path).find("\"loss\":null"), std::string::npos);
}

TEST(RunLog, ADamagedLineIsNamed) {
  TemporaryDirectory folder;
  std::string path = folder.file("log.jsonl");
  value_of(value_of(RunLog::open(path, 0)).append(step(1)));
  append_text(path, "{\"step\": 2}\n");
  EXPECT_ERROR(read_log(path), "log.jsonl:2: expected a number under \"tokens\"");
  EXPECT_ERROR(RunLog::open(path, 7), "log.jsonl:2");
  EXPECT_ERROR(RunLog::open(folder.file("no/log.jsonl"), 0), "cannot open");
}

TEST(EventFile, CrcOfTheStandardsTestVectors) {  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST(EventFile, BytesAreThoseOfTensorBoard) {
  std::string whales = "작은 고래 ";
  for (int i = 0; i < 40; i++) whales += "whale ";
  const Scalar scalars[] = {{"train/loss", 3.25}, {"train/lr", 0.1}};
  std::string bytes = framed(version_event(1700000000.25)) + framed(restart_event(1700000001.5, 301)) +
                      framed(scalars_event(1700000002.0, 301, scalars)) +
                      framed(text_event(1700000003.0, int64_t{1} << 40, "sample", whales));
  EXPECT_EQ(bytes, read_test_file(repository_path("tests/goldens/events/golden.tfevents")));
}

TEST(EventFile, AnotherStartIsAnotherFileThatSortsBehind) {
  TemporaryDirectory folder;
  EventFile first = value_of(EventFile::create(folder.path().string(), 0));
  const Scalar loss{"train/loss", 1};
  value_of(first.scalars(1, {&loss, 1}));
  value_of(first.text(1, "sample", "a whale"));
  EventFile second = value_of(EventFile::create(folder.path().string(), 7));
  EXPECT_LT(first.path(), second.path());
  EXPECT_NE(first.path().find("/events.out.tfevents."), std::string::npos);
  // The first holds no restart: version, scalars, text; the second version and restart.
  EXPECT_GT(std::filesystem::file_size(first.path()), std::filesystem::file_size(second.path()));
  EXPECT_ERROR(EventFile::create(folder.file("none"), 0), "cannot create");
}

// Every tag is closed in order, every entity known: what an XML parser asks for, without names of attributes.
void expect_well_formed(const std::string& svg) {
  std::vector<std::string> open;
  for (size_t at = 0; (at = svg.find_first_of("<&", at)) != std::string::npos; at++) {
    if (svg[at] == '&') {
      std::string entity = svg.substr(at, svg.find(';', at) - at + 1);
      EXPECT_TRUE(entity == "&amp;" || entity == "&lt;" || entity == "&gt;" || entity == "&#34;" || entity == "&#39;") << entity;
      continue;
    }
    size_t end = svg.find('>', at);
    ASSERT_NE(end, std::string::npos);
    std::string tag = svg.substr(at + 1, end - at - 1);
    EXPECT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
    std::string name = tag.substr(0, tag.find(' '));
    if (name.starts_with('/')) {
      ASSERT_FALSE(open.empty());
      EXPECT_EQ(open.back(), name.substr(1));
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Curves, AreWellFormedWhateverTheFigures) {
  std::vector<StepRecord> records;
  for (int64_t n = 1; n <= 2000; n++) {
    records.push_back(step(n));
    if (n % 100 == 0) records.back().validation_loss = 9.0 / static_cast<double>(n);
  }
  records[7].cross_entropy = std::numeric_limits<double>::quiet_NaN();
  std::string svg = run_curves_svg("a <b> & \"고래\"", records);
  expect_well_formed(svg);
  EXPECT_NE(svg.find("a &lt;b&gt; &amp; &#34;고래&#34;"), std::string::npos);
  EXPECT_NE(svg.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_LT(svg.size(), 80'000u);  // thinned
  std::string none = run_curves_svg("empty", {});
  expect_well_formed(none);
  EXPECT_NE(none.find("no figures"), std::string::npos);
  expect_well_formed(run_curves_svg("one", std::span(records).first(1)));
}

TEST(Curves, PointsLandWhereTheAxesSay) {
  const Panel panel{"p", {Line{"l", {{0, 0}, {50, 10}, {100, 5}}}}, true};
  std::string svg = panels_svg("t", "x", {&panel, 1});
  // x axis 0..100 over pixels 72..776, y axis 0..10 over pixels 324..84.
  EXPECT_NE(svg.find("d=\"M72.0 324.0L424.0 84.0L776.0 204.0\""), std::string::npos) << svg;
}

}  // namespace
}  // namespace minke
