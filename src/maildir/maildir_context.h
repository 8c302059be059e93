#pragma once
/// What the parts of a Maildir store work with.

#include <memory>
#include <string>
#include <string_view>

#include "base/buffer_pool.h"
#include "base/log.h"
#include "maildir/index_cache.h"
#include "maildir/index_memory.h"
#include "maildir/maildrop_path.h"
#include "maildir/unique_ids.h"
#include "ring/ring.h"

namespace restante {

inline constexpr const char* index_name = "restante.index";

struct StoreOptions {
    MaildropPath path;
    UniqueIdPolicy unique_ids;
    bool durable = true;  ///< fsync before UPDATE is acknowledged
    /// Of all stores with these options.
    std::shared_ptr<IndexMemory> index_memory = std::make_shared<IndexMemory>();
    /// Of open indexes that each store keeps ([limits] index_cache, a reactor's part).
    std::size_t index_cache_octets = std::size_t{64} << 20;
};

/// A reactor's; outlives its maildrops.
struct MaildirContext {
    Ring& ring;
    Log& log;
    BufferPool& buffers;
    IndexCache& cache;
    const StoreOptions& options;
};

/// Which maildrop it is about: where it is, and for whom log lines name it.
struct MaildropPlace {
    std::string path;
    // Views of the owner's words, which outlive the maildrop.
    std::string_view user;
    std::string_view session;

    /// "maildrop PATH: WHAT, user=<...>, session=<...>"
    void write(Log& log, LogLevel level, std::string_view what) const;
};

}  // namespace restante
