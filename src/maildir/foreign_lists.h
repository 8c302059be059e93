#pragma once
/// Unique-ids that another server has left in a maildrop.

#include <optional>
#include <vector>

#include "base/result.h"
#include "maildir/courier_sizelist.h"
#include "maildir/dovecot_uidlist.h"
#include "maildir/maildir_context.h"
#include "ring/task.h"

namespace restante {

inline constexpr const char* uidlist_name = "dovecot-uidlist";
inline constexpr const char* sizelist_name = "courierpop3dsizelist";

/// The lists, whose views are of the texts.
struct LoadedLists {
    std::vector<char> dovecot_text;
    std::vector<char> courier_text;
    std::optional<DovecotUidlist> dovecot;
    std::optional<CourierSizelist> courier;
};

/// Those that the policy wants and that are there. One that cannot be read is an error: other
/// unique-ids would be given in its place. Lines that cannot be understood are logged.
Task<Result<LoadedLists>> load_foreign_lists(const MaildirContext& context,
                                             const MaildropPlace& place, int directory);

}  // namespace restante
