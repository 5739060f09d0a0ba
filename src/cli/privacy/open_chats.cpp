#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/interrupt.h"
#include "cli/language.h"
#include "cli/privacy/data.h"
#include "store/crypto/secret.h"

namespace minke::cli {
namespace {

using store::Key;
using store::KeyKind;
using store::Store;

constexpr int kTries = 3;
constexpr size_t kMaxLineBytes = 4096;

// The terminal does not show what is typed as long as this lives.
class NoEcho {
 public:
  NoEcho() : is_terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~NoEcho() {
    if (!is_terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    fmt::print(stderr, "\n");
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  bool is_terminal() const { return is_terminal_; }

 private:
  termios before_{};
  bool is_terminal_;
};

// One line of stdin, read byte by byte into memory that is wiped later; none at its end or after Ctrl-C.
std::optional<std::string> read_line() {
  std::string line;
  line.reserve(kMaxLineBytes);  // so that growing leaves no copies
  for (char c = 0; line.size() < kMaxLineBytes;) {
    const ssize_t n = ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR && !interrupt_flag()) continue;
    if (n < 0 || interrupt_flag() || (n == 0 && line.empty())) return std::nullopt;
    if (n == 0 || c == '\n') break;
    line += c;
  }
  return line;
}

Result<std::unique_ptr<Store>> open_with_passphrase(const std::string& folder) {
  (void)interrupt_flag();  // Ctrl-C must give the echo back
  for (int i = 0;; i++) {
    std::optional<std::string> line;
    bool is_terminal = false;
    {
      const NoEcho no_echo;
      is_terminal = no_echo.is_terminal();
      if (is_terminal) fmt::print(stderr, "{}", tr("Passphrase of your chats: ", "대화의 암호문: "));
      line = read_line();
    }
    if (interrupt_flag()) return nullptr;
    if (!line) return error("{}: these chats need a passphrase: type it, or give it as the first line of stdin", folder);
    const Result<Key> key = Key::passphrase(*line);
    store::wipe(*line);
    if (!key) return tl::unexpected<Error>(key.error());
    auto opened = TRY(Store::open(folder, *key));
    if (opened != nullptr) return opened;
    if (!is_terminal || i + 1 == kTries) return error("{}: the passphrase does not open these chats", folder);
    fmt::print(stderr, "{}\n", tr("this passphrase does not open them", "암호문이 맞지 않습니다"));
  }
}

}  // namespace

Result<std::unique_ptr<Store>> open_chats(const page::Places& places) {
  const auto kind = TRY(Store::key_kind(places.chats));
  if (!kind) return error("{}: no chats are kept here", places.chats);
  if (*kind == KeyKind::kPassphrase) return open_with_passphrase(places.chats);
  const Key key = TRY(Key::file(places.key_file));
  auto opened = TRY(Store::open(places.chats, key));
  if (opened == nullptr) return error("{}: this key file does not open the chats in {}", places.key_file, places.chats);
  return opened;
}

}  // namespace minke::cli
