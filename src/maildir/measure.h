#pragma once
/// Exact octets of a message, by reading it.

#include <optional>
#include <string>

#include "base/buffer_pool.h"
#include "base/result.h"
#include "base/slab.h"
#include "maildir/content_digest.h"
#include "pop3/message_meter.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

struct MeasuredFile {
    pop3::MessageMeasure measure;
    std::uint64_t inode = 0;
    WallTime modified{};  ///< 0: so short ago that another change would not show
    std::optional<ContentHash> content;  ///< where it was asked for
};

/// Reads `path` in `maildrop` (a descriptor) from end to end, in pieces of a pooled buffer. Errors:
/// not_found (removed or renamed meanwhile), refused (no permission), exhausted (it grew or shrank
/// while it was read, or out of descriptors), broken (EIO).
Task<Result<MeasuredFile>> measure_file(Ring& ring, BufferPool& buffers, int maildrop,
                                        BriefString path, bool with_content);

/// The whole of a small file that is open, e.g. an index, which had so many `octets` then. Errors,
/// which say `name`: exhausted (it has shrunk), broken (EIO).
Task<Result<std::vector<char>>> read_open_file(Ring& ring, int file, std::uint64_t octets,
                                               const char* name);

/// The same of the file `name`, e.g. a uidlist. More than `octets_max`: exhausted; not_found,
/// refused.
Task<Result<std::vector<char>>> read_file(Ring& ring, int maildrop, const char* name,
                                          std::uint64_t octets_max);

}  // namespace restante
