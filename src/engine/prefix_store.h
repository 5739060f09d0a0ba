// Pages of the KV cache on the disk: what a prompt began with is found again after it has left the memory, and after a restart.
//
// A file is one page of a beginning, all layers: 8 bytes that name the format, a random nonce of 24, the page encrypted with
// XChaCha20-Poly1305 (libsodium), and its tag of 16, which is also the checksum. The file's name is a keyed BLAKE2b hash of the
// model, the layout of the page, and all tokens up to its end; the tag covers the name. So without the key neither name nor
// content tell anything, and a page is used for nothing but the tokens, the model and the layout that it was made for. Files
// that were changed, cut or exchanged are removed and counted, never used.
//
// Any thread may call, engines of several models share one store; pages are encrypted and written by a thread of its own. One
// process at a time holds a folder.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/token_id.h"

namespace minke {

struct PrefixStoreOptions {
  std::string folder;              // is made if it is not there; its .kv files belong to the store
  int64_t max_bytes = 0;           // of all files; those used longest ago go first
  std::span<const std::byte> key;  // 32 secret bytes
};

class PrefixStore {
 public:
  // Errors: a key of another length, a folder that cannot be used or that another process holds.
  static Result<std::unique_ptr<PrefixStore>> open(const PrefixStoreOptions& options);
  ~PrefixStore();  // what is still to be written is written
  PrefixStore(const PrefixStore&) = delete;

  using Name = std::array<uint8_t, 32>;
  // Of what stands before the first page; `origin`: what decides the bytes of a page, so the model and how its cache is laid
  // out.
  Name start(std::string_view origin) const;
  Name next(const Name& before, std::span<const TokenId> tokens_of_page) const;

  bool contains(const Name& name) const;
  // Reads page `index` of a beginning. False when it is not there, or not what was written.
  bool read(std::span<std::byte> page, const Name& name, int64_t index);
  // Soon writes it, unless it is there. Nothing tells when it cannot be written, or more waits than memory is meant for: it is
  // counted, and missing later.
  void write(std::vector<std::byte> page, const Name& name, int64_t index);
  void flush();  // until everything is written
  // Removes every page, of all models and keys.
  Status clear();

  struct Stats {
    int64_t n_files = 0, n_bytes = 0;
    int64_t n_read = 0, n_written = 0;
    int64_t n_refused = 0;  // files that were not what was written
    int64_t n_skipped = 0;  // pages that were not written
  };
  Stats stats() const;

 private:
  struct File {
    int64_t n_bytes;
    int64_t time;  // when it was used last, in ns since 1970; that of the file
  };
  struct Waiting {
    Name name;
    std::vector<std::byte> page;
    int64_t index;
  };
  using Key = std::array<uint8_t, 32>;

  PrefixStore(std::string folder, int64_t max_bytes, int lock);
  Status list_files();
  std::string path_of(const Name& name) const;
  void write_all();  // the thread
  bool write_file(const Waiting& waiting, int64_t time);
  // The rest with mutex_ held.
  bool make_room(int64_t n_bytes);
  void remember(const Name& name, const File& file);
  void forget(const Name& name);
  void remove_file(const Name& name);

  const std::string folder_;
  const int64_t max_bytes_;
  const int lock_;
  Key name_key_, page_key_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<Name, File> files_;
  std::set<std::pair<int64_t, Name>> by_time_;
  std::deque<Waiting> waiting_;  // the first one stays while it is written
  int64_t n_waiting_bytes_ = 0;
  Stats stats_;
  bool ends_ = false;
  std::thread writer_;
};

}  // namespace minke
