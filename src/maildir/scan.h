#pragma once
/// Which files a Maildir holds, although other programs rename and remove them meanwhile.

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/slab.h"
#include "maildir/message_file.h"
#include "ring/file_types.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// "new" or "cur".
const char* folder_name(Folder folder);
/// "cur/1130000000.M1P2.host:2,S", relative to the maildrop.
BriefString path_in_maildrop(Folder folder, std::string_view file_name);

/// What a folder was when it was listed.
struct FolderState {
    bool exists = false;
    FileStatus status;
    /// Nothing can have changed in it since, as long as `status` is what it says: both folders were
    /// the same before and after they were listed, and this one was old enough for a later change
    /// to show (file_time_granularity).
    bool is_settled = false;
};

/// Every message file, in the order of the listings, or sorted where several count.
struct Scan {
    std::vector<ScannedFile> files;
    FolderState fresh;
    FolderState current;
    std::list<DirectoryListing> listings;  ///< own the names
};

/// Lists new/, then cur/ (a message moves from the one to the other, so it is seen at least once).
/// What was listed while neither changed is all that counts; while they change they are listed
/// again, up to scans_max times, then the union counts. A folder that changed so short ago that
/// another change would not show is waited for first. A folder that does not exist is empty.
inline constexpr int scans_max = 4;
Task<Result<Scan>> scan_maildir(Ring& ring, int maildrop);

/// In order of base name and inode; of files that have both in common that stays which was listed
/// last, which is the likeliest to be there still.
void sort_files(Scan& scan);

/// The files of `scan`, which is sorted, with this base name.
std::span<const ScannedFile> files_named(const Scan& scan, std::string_view base);

/// Both folders have the status that they had after `scan`.
Task<Result<bool>> is_unchanged(Ring& ring, int maildrop, const Scan& scan);

}  // namespace restante
