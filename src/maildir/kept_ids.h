#pragma once
/// The unique-ids of a maildrop to which little has happened.

#include <optional>
#include <span>

#include "maildir/index_file.h"
#include "maildir/message_file.h"
#include "maildir/unique_id_policy.h"
#include "maildir/unique_ids.h"

namespace restante {

/// What UniqueIdAssignment says of `files`, at a sixth of its cost, where `previous` was made with
/// the same policy and lists, and messages have only come, gone, changed their flags or moved to
/// cur/. Nothing where more is to be weighed: a file has the name, the id or the inode of another
/// one that is or was there, ids are retired, or contents have decided. `files` in any order, at
/// most indexed_messages_max.
std::optional<AssignedIds> keep_ids(const UniqueIdPolicy& policy, const ForeignLists& lists,
                                    const MaildropIndex& previous,
                                    std::span<const ScannedFile> files);

}  // namespace restante
