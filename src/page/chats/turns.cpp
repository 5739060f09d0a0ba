// A turn of a generation: the user's message before the reply begins, the reply when it has ended in any way.
#include <algorithm>
#include <chrono>

#include "base/utf8.h"
#include "page/chats/chats.h"

namespace minke::page {
namespace {

using store::Conversation;
using store::ConversationHead;
using store::Id;
using store::Message;
using store::Role;
using store::Store;

constexpr std::chrono::seconds kMaxWait(5);

// Whether the request asks for another reply to this message, and does not send a new one that happens to follow it (after a
// reply that failed). The text for the model has the message's files around it.
bool is_repeated(const Message& message, const server::TurnStart& start) {
  if (message.role != Role::kUser || start.turn.text) return false;
  if (message.attachments.empty()) return start.text == message.content;
  return start.text.find(message.content) != std::string::npos;
}

Message message_of_user(const server::TurnStart& start, int64_t parent) {
  Message message;
  message.parent = parent;
  message.role = Role::kUser;
  message.content = start.turn.text.value_or(start.text);
  for (const server::Attachment& file : start.turn.attachments) message.attachments.push_back({file.name, "", file.text});
  return message;
}

Result<ConversationHead> make_conversation(Store& store, const server::TurnStart& start) {
  const std::string title = title_of(start.turn.text.value_or(start.text));
  ConversationHead head = TRY(store.create_conversation(title, std::nullopt, false));
  if (start.system.empty()) return head;
  store::ConversationChange change;
  change.extra = head.extra = with_system("", start.system);
  TRY(store.change(head.id, change));
  return head;
}

}  // namespace

bool Chats::is_pending(const Turn& turn) {
  const std::lock_guard guard(pending_mutex_);
  return pending_.contains(turn);
}

void Chats::wait_for(const Turn& turn) {
  std::unique_lock guard(pending_mutex_);
  turn_ended_.wait_for(guard, kMaxWait, [&] { return !pending_.contains(turn); });
}

Outcome<Chats::UserMessage> Chats::user_message(Store& store, const ConversationHead& head, const server::TurnStart& start) {
  int64_t parent = 0;
  if (start.turn.parent) {
    const auto number = message_number(*start.turn.parent);
    if (number) wait_for({head.id, *number});
    const auto conversation = store.load(head.id);
    if (!conversation) return failure(conversation.error());
    const auto found = std::ranges::find(conversation->messages, number.value_or(0), &Message::number);
    if (found == conversation->messages.end())
      return refusal(ErrorKind::kNotFound, "there is no such message in this conversation", "message_not_found",
                     "minke.parent");
    if (is_repeated(*found, start)) return UserMessage{found->number, false};
    parent = found->number;
  }
  const auto number = store.append(head.id, message_of_user(start, parent));
  if (!number) return failure(number.error());
  return UserMessage{*number, true};
}

Outcome<server::TurnIds> Chats::begin_turn(const server::TurnStart& start) {
  const auto used = use();
  const bool is_new = !start.turn.conversation;
  if (!used && used.error().kind == ErrorKind::kNotFound && is_new) return server::TurnIds{};
  if (!used) return tl::unexpected(used.error());
  Store& store = *used->store;
  if (is_new && start.turn.parent)
    return refusal(ErrorKind::kInvalid, "minke.parent: a new conversation has no messages yet", "", "minke.parent");
  ConversationHead head;
  if (is_new) {
    auto made = make_conversation(store, start);
    if (!made) return failure(made.error());
    head = std::move(*made);
  } else {
    auto found = head_of(store, *start.turn.conversation);
    if (!found) return tl::unexpected(std::move(found.error()));
    head = std::move(*found);
  }
  const auto user = user_message(store, head, start);
  if (!user && is_new) (void)store.remove({&head.id, 1});  // a title without a message
  if (!user) return tl::unexpected(user.error());
  const auto reply = store.reserve(head.id);
  if (!reply) return failure(reply.error());
  {
    const std::lock_guard guard(pending_mutex_);
    pending_.emplace(head.id, *reply);
  }
  return server::TurnIds{head.id.hex(), std::to_string(user->number), std::to_string(*reply)};
}

Outcome<void> Chats::end_turn(const server::TurnEnd& end) {
  const auto id = Id::parse(end.ids.conversation);
  const auto number = message_number(end.ids.message);
  const auto parent = message_number(end.ids.user_message);
  if (!id || !number || !parent) return {};  // nothing of it is kept
  // Whatever happens below, nobody waits for it any longer.
  const auto forget = [&](void*) {
    const std::lock_guard guard(pending_mutex_);
    pending_.erase({*id, *number});
    turn_ended_.notify_all();
  };
  const std::unique_ptr<void, decltype(forget)> at_end(this, forget);

  if (end.finish_reason == "error" && end.content.empty() && end.reasoning.empty()) return {};
  const auto used = use();
  if (!used && used.error().kind == ErrorKind::kNotFound) return {};  // shredded meanwhile
  if (!used) return tl::unexpected(used.error());
  if (!used->store->find(*id)) return {};  // deleted meanwhile
  Message message;
  message.number = *number;
  message.parent = *parent;
  message.role = Role::kAssistant;
  message.content = utf8_lossy(end.content);
  message.reasoning = utf8_lossy(end.reasoning);
  message.model = end.model;
  message.finish_reason = end.finish_reason;
  put_figures(message, end.usage_json, end.timings_json);
  if (const auto kept = used->store->append(*id, std::move(message)); !kept) return failure(kept.error());
  return {};
}

}  // namespace minke::page
