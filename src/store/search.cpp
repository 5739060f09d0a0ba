// Search opens and reads the messages, one conversation after the other; docs/privacy.md says why there is no index.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/codec.h"
#include "store/state.h"
#include "store/store.h"
#include "store/text_fold.h"

namespace minke::store {
namespace {

struct Word {
  std::string folded;
  std::string in_json;  // as it stands in the JSON text of a message
};

std::vector<Word> words_of(std::string_view query) {
  std::vector<Word> words;
  const std::string folded = fold_text(query);
  size_t pos = 0;
  while (pos < folded.size()) {
    const size_t begin = folded.find_first_not_of(" \t\r\n", pos);
    if (begin == std::string::npos) break;
    const size_t end = std::min(folded.find_first_of(" \t\r\n", begin), folded.size());
    Word word;
    word.folded = folded.substr(begin, end - begin);
    const std::string quoted = dump_json(word.folded);
    word.in_json = quoted.substr(1, quoted.size() - 2);
    words.push_back(std::move(word));
    pos = end;
  }
  return words;
}

// All that is searched of a message, best place for a snippet first.
std::vector<const std::string*> texts_of(const Message& message) {
  std::vector<const std::string*> texts = {&message.content, &message.reasoning};
  for (const Attachment& attachment : message.attachments) {
    texts.push_back(&attachment.name);
    texts.push_back(&attachment.text);
  }
  return texts;
}

// Gathers which words were seen in a conversation, and the message that has most of them.
class Match {
 public:
  Match(const std::vector<Word>& words, const ConversationHead& head) : words_(words), seen_(words.size()), head_(head) {
    add(0, {&head.title});
  }

  void add_message(const Message& message) { add(message.number, texts_of(message)); }
  bool whole() const { return std::ranges::find(seen_, false) == seen_.end(); }
  SearchHit hit() const { return {head_.id, head_.title, message_, snippet_}; }

 private:
  void add(int64_t number, const std::vector<const std::string*>& texts) {
    size_t n_found = 0;
    const std::string* shown = nullptr;
    const Word* shown_word = nullptr;
    for (const std::string* text : texts) {
      const std::string folded = fold_text(*text);
      for (size_t i = 0; i < words_.size(); i++) {
        if (folded.find(words_[i].folded) == std::string::npos) continue;
        seen_[i] = true;
        n_found++;
        if (shown != nullptr) continue;
        shown = text;
        shown_word = &words_[i];
      }
    }
    if (n_found <= best_) return;
    best_ = n_found;
    message_ = number;
    snippet_ = snippet_around(*shown, shown_word->folded);
  }

  const std::vector<Word>& words_;
  std::vector<bool> seen_;
  const ConversationHead& head_;
  size_t best_ = 0;
  int64_t message_ = 0;
  std::string snippet_;
};

// Whether the words may be there is seen without reading the JSON, which takes longer than all else.
bool may_match(const std::string& body, const std::vector<Word>& words) {
  const std::string folded = fold_text(body);
  return std::ranges::any_of(words, [&](const Word& word) { return folded.find(word.in_json) != std::string::npos; });
}

}  // namespace

Result<std::vector<SearchHit>> Store::search(std::string_view query, size_t limit) const {
  const std::vector<Word> words = words_of(query);
  std::vector<SearchHit> hits;
  if (words.empty()) return hits;
  std::vector<ConversationHead> heads = list();
  std::ranges::stable_sort(heads, std::greater(), &ConversationHead::updated_ms);
  for (const ConversationHead& head : heads) {
    if (hits.size() == limit) break;
    Match match(words, head);
    const Rows::Visitor read = [&](int64_t number, const std::string* body) -> Status {
      if (body == nullptr || !may_match(*body, words)) return {};
      const std::string where = fmt::format("conversation {}: message {}", head.id.hex(), number);
      const Json value = TRY(parse_json(*body, where));
      match.add_message(TRY(message_from_json(value, where)));
      return {};
    };
    {
      const std::lock_guard guard(state_->mutex);
      if (const auto found = state_->temporary.find(head.id); found != state_->temporary.end()) {
        for (const Message& message : found->second.messages) match.add_message(message);
      } else if (state_->is_kept(head.id)) {  // may have been removed meanwhile
        TRY(state_->rows.each_message(head.id, read));
      }
    }
    if (match.whole()) hits.push_back(match.hit());
  }
  return hits;
}

}  // namespace minke::store
