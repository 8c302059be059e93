#pragma once
/// The index of a maildrop as it is now: trusted, or made again from what changed.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "maildir/foreign_lists.h"
#include "maildir/index_file.h"
#include "maildir/maildir_context.h"
#include "maildir/measure.h"
#include "maildir/scan.h"
#include "maildir/stored_index.h"
#include "ring/task.h"

namespace restante {

/// One opening of one maildrop, locked and open as `directory`.
class IndexRefresh {
public:
    /// What is given outlives it.
    IndexRefresh(const MaildirContext& context, const MaildropPlace& place, int directory)
        : context_(context),
          place_(place),
          directory_(directory),
          share_(*context.options.index_memory) {}

    /// A handful of system calls when nothing has changed, whatever the size. Otherwise folders are
    /// listed, and messages that no index knows are read.
    Task<Result<std::shared_ptr<const MaildropIndex>>> run();
    /// Keeps `index` for later sessions, in memory and on disk. Failing at the latter costs time
    /// later, no more; other reactors then do not hear of it.
    Task<void> keep(std::shared_ptr<const MaildropIndex> index);
    /// After run(): what the index takes, of the memory for indexes.
    IndexMemory::Share take_share() { return std::move(share_); }

private:
    /// By inode and base name: what was read stays good when the folders have to be listed again.
    using Measures = std::map<std::tuple<std::uint64_t, std::string>, MeasuredFile, std::less<>>;
    enum class Attempt : std::uint8_t { done, file_gone };
    /// What is known besides the files.
    struct Known {
        std::shared_ptr<const MaildropIndex> previous;  ///< nullptr = none
        LoadedLists lists;
        bool is_alike;  ///< as when `previous` was made: policy and lists
        std::optional<IndexLookup> lookup = std::nullopt;  ///< made where it is needed
    };

    Task<std::optional<FileIdentity>> identify_maildrop();
    Task<Result<IndexTrust>> look(std::optional<IndexTrust> then);
    Task<Result<std::shared_ptr<const MaildropIndex>>> choose_newest(
        std::shared_ptr<const MaildropIndex> kept, StoredIndex& stored);
    Task<Result<std::shared_ptr<const MaildropIndex>>> rebuild(
        std::shared_ptr<const MaildropIndex> previous, IndexTrust trust);
    Task<Result<std::shared_ptr<const MaildropIndex>>> make_index(Scan& scan, Known& known,
                                                                  IndexTrust trust);
    Task<Result<std::optional<AssignedIds>>> assign_ids(Scan& scan, Known& known);
    Task<Result<Attempt>> read_digests(const UniqueIdAssignment& assignment, const Scan& scan,
                                       std::vector<ContentHash>& digests);
    /// What several readers share: the first that fails ends them all.
    struct Reading {
        std::vector<const ScannedFile*> files;
        std::size_t next = 0;
        Result<Attempt> outcome = Attempt::done;
    };
    Task<Result<Attempt>> read_new(const AssignedIds& ids, const Scan& scan,
                                   const MaildropIndex* previous);
    Task<void> read_some(Reading& reading);
    Task<Result<Attempt>> measure(const ScannedFile& file, bool with_content);
    Task<Result<Attempt>> stand_in(const ScannedFile& file, Error error);
    const MeasuredFile* measured(const ScannedFile& file) const;
    MeasuredFile& measure_of(const ScannedFile& file) {
        return measures_[{file.inode, std::string(file.base())}];
    }
    std::vector<const ScannedFile*> unmeasured_files(const AssignedIds& ids, const Scan& scan,
                                                     const MaildropIndex* previous) const;
    std::shared_ptr<const MaildropIndex> build(const Scan& scan, const AssignedIds& ids,
                                               const MaildropIndex* previous,
                                               IndexTrust trust) const;

    const MaildirContext& context_;
    const MaildropPlace& place_;
    const int directory_;
    IndexMemory::Share share_;
    Measures measures_;
    WallTime now_{};  // for build(), which a helper may run
};

}  // namespace restante
