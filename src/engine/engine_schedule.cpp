// Who begins, what a step runs, and who makes room.
#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "engine/engine.h"

namespace minke {
namespace {

int64_t pages_for(int64_t n_tokens) { return (n_tokens + kPageSize - 1) / kPageSize; }

// Pages that a sequence lacks until it has so many tokens.
int64_t n_missing_pages(const SequenceCache& cache, int64_t n_tokens) {
  return std::max<int64_t>(0, pages_for(n_tokens) - static_cast<int64_t>(cache.page_table.size()));
}

}  // namespace

int64_t Engine::n_under_way(std::string_view client) const {
  int64_t n = 0;
  for (const Prompt& prompt : reading_) n += prompt.job->request.client == client ? prompt.n_samples() : 0;
  for (const Sequence& sequence : running_) n += sequence.job->request.client == client ? 1 : 0;
  return n;
}

// Whoever made room for others goes first; then the client with the fewest samples under way, in the order of coming. Who is
// next stays next until there is room, so that nobody is overtaken for ever by those who need less.
std::deque<Engine::Prompt>::iterator Engine::next_waiting() {
  auto best = waiting_.begin();
  int64_t least = std::numeric_limits<int64_t>::max();
  std::vector<std::string_view> seen;
  for (auto prompt = waiting_.begin(); prompt != waiting_.end(); ++prompt) {
    if (prompt->resumed) return prompt;
    const std::string_view client = prompt->job->request.client;
    if (std::find(seen.begin(), seen.end(), client) != seen.end()) continue;
    seen.push_back(client);
    const int64_t n = n_under_way(client);
    if (n < least) {
      least = n;
      best = prompt;
    }
  }
  return best;
}

int64_t Engine::n_promised_pages() const {
  int64_t n_pages = 0;
  for (const Prompt& prompt : reading_) n_pages += n_missing_pages(prompt.cache, prompt.n_tokens()) + prompt.n_samples();
  for (const Sequence& sequence : running_) n_pages += n_missing_pages(sequence.cache, sequence.n_tokens()) + 1;
  return n_pages;
}

Status Engine::admit() {
  int64_t n_admitted = n_running();
  for (const Prompt& prompt : reading_) n_admitted += prompt.n_samples();
  while (!waiting_.empty()) {
    const auto next = next_waiting();
    if (n_admitted + next->n_samples() > options_.max_running) return {};
    // Of a new prompt the last token is run, whose logits are wanted; one that is resumed has them behind its answer.
    const EngineRequest& request = next->job->request;
    SequenceCache cache = TRY(prefixes_.take(request.prompt, next->resumed ? 0 : 1, request.client));
    // Room to get where it stood, and for everyone to go on a little: else who comes would be sent away again at once. Who is
    // alone has all there is.
    int64_t n_pages = n_missing_pages(cache, next->n_tokens());
    if (n_admitted > 0) n_pages += next->n_samples() + n_promised_pages();
    if (!prefixes_.release(n_pages)) {
      give_back(cache);
      return {};
    }
    if (request.uses_store) TRY(prefixes_.load(cache, request.prompt, next->resumed ? 0 : 1));
    if (request.on_begin && !next->resumed) request.on_begin();
    n_admitted += next->n_samples();
    Prompt prompt = std::move(*next);
    waiting_.erase(next);
    prompt.cache = std::move(cache);
    prompt.n_reused = prompt.cache.n_tokens;
    reading_.push_back(std::move(prompt));
  }
  return {};
}

void Engine::plan_running() {
  int64_t room = options_.prefill_tokens;  // for what is read again
  for (Sequence& sequence : running_) {
    const int64_t n_rest = sequence.n_tokens() - sequence.cache.n_tokens;
    const int64_t n = n_rest == 1 ? 1 : std::min(n_rest, room);
    rows_.push_back(-1);
    if (n == 0 || paused_.contains(sequence.job->id)) continue;
    if (n_rest > 1) room -= n;
    const auto first = sequence.answer.end() - static_cast<std::ptrdiff_t>(n_rest);
    batch_.tokens.insert(batch_.tokens.end(), first, first + static_cast<std::ptrdiff_t>(n));
    batch_.sequences.push_back({&sequence.cache, n, MlaForm::kAbsorbed});
    if (n < n_rest) continue;
    rows_.back() = static_cast<int64_t>(batch_.logit_rows.size());
    batch_.logit_rows.push_back(static_cast<int64_t>(batch_.tokens.size()) - 1);
  }
}

// Half is for who came first, so that a long prompt comes to its end whoever else comes; the other half goes to those that are
// read soonest, so that a short prompt does not wait for a long one.
std::vector<int64_t> Engine::shares() const {
  std::vector<int64_t> out(reading_.size());
  int64_t room = options_.prefill_tokens;
  const auto give = [&](size_t i, int64_t most) {
    const int64_t n = std::min({reading_[i].n_rest() - out[i], most, room});
    out[i] += n;
    room -= n;
  };
  if (!reading_.empty()) give(0, (room + 1) / 2);
  std::vector<size_t> order(reading_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return reading_[a].n_rest() - out[a] < reading_[b].n_rest() - out[b]; });
  for (size_t i : order) give(i, room);
  return out;
}

void Engine::plan_prompts() {
  const std::vector<int64_t> n_of = shares();
  for (size_t i = 0; i < reading_.size(); i++) {
    Prompt& prompt = reading_[i];
    prompt.row = -1;
    if (n_of[i] == 0) continue;
    const auto first = prompt.job->request.prompt.begin() + prompt.cache.n_tokens;
    batch_.tokens.insert(batch_.tokens.end(), first, first + n_of[i]);
    batch_.sequences.push_back({&prompt.cache, n_of[i], MlaForm::kNaive});
    if (n_of[i] < prompt.n_rest() || prompt.resumed) continue;
    prompt.row = static_cast<int64_t>(batch_.logit_rows.size());
    batch_.logit_rows.push_back(static_cast<int64_t>(batch_.tokens.size()) - 1);
  }
}

void Engine::plan() {
  batch_.tokens.clear();
  batch_.sequences.clear();
  batch_.logit_rows.clear();
  rows_.clear();
  plan_running();
  plan_prompts();
}

int64_t Engine::n_wanted_pages() const {
  int64_t n_pages = 0;
  for (const BatchSequence& part : batch_.sequences)
    n_pages += n_missing_pages(*part.cache, part.cache->n_tokens + part.n_tokens);
  for (const Prompt& prompt : reading_) {
    if (prompt.row >= 0 && prompt.job->n_prompt() % kPageSize != 0) n_pages += prompt.n_samples() - 1;
  }
  return n_pages;
}

// Who came last, of the client with the most under way, waits again and gives its cache back. What it has said stays.
void Engine::preempt_one() {
  n_preempted_++;
  std::unordered_map<std::string_view, int64_t> n_of;
  for (const Prompt& prompt : reading_) n_of[prompt.job->request.client] += prompt.n_samples();
  for (const Sequence& sequence : running_) n_of[sequence.job->request.client]++;
  const auto place = [&](const Job& job) { return std::pair(n_of[job.request.client], job.id); };
  const auto goes_after = [&](const auto& a, const auto& b) { return place(*a.job) < place(*b.job); };
  const auto read = std::max_element(reading_.begin(), reading_.end(), goes_after);
  const auto run = std::max_element(running_.begin(), running_.end(), goes_after);
  if (run == running_.end() || (read != reading_.end() && place(*read->job) >= place(*run->job))) {
    give_back(read->cache);
    waiting_.push_front(std::move(*read));
    reading_.erase(read);
    return;
  }
  give_back(run->cache);
  Prompt prompt = {run->job, {}, std::make_unique<Sequence>(std::move(*run))};
  running_.erase(run);
  waiting_.push_front(std::move(prompt));
}

bool Engine::make_room() {
  while (!prefixes_.release(n_wanted_pages())) {
    if (n_running() + static_cast<int64_t>(reading_.size()) < 2) return false;
    preempt_one();
    plan();
  }
  return true;
}

}  // namespace minke
