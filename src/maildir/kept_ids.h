#pragma once
/// The unique-ids of a maildrop to which little has happened.

#include <optional>
#include <span>

#include "maildir/message_file.h"
#include "maildir/unique_id_policy.h"
#include "maildir/unique_ids.h"

namespace restante {

/// What UniqueIdAssignment says of `files`, at a part of its cost, where messages have only come,
/// gone, changed their flags or moved to cur/. Nothing where more is to be weighed: a file has the
/// name or the id of another one that is or was there, ids are retired, contents have decided, or
/// most files are new. `sources` has a previous index that was made with the same policy and lists,
/// and whose ids are taken for unique, as all but forged ones are. `files` in any order, at most
/// indexed_messages_max. The ids live as long as that index and the result.
std::optional<AssignedIds> keep_ids(const UniqueIdPolicy& policy, const UniqueIdSources& sources,
                                    std::span<const ScannedFile> files);

}  // namespace restante
