#pragma once
/// An open Maildir: what Store (store.h) promises, kept with files.

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maildir/file_source.h"
#include "maildir/index_file.h"
#include "maildir/mail_root.h"
#include "maildir/maildir_context.h"
#include "maildir/scan.h"
#include "maildir/store.h"

namespace restante {

class MaildirMaildrop final : public Maildrop {
public:
    /// `directory` is the maildrop's, locked by itself or by `lock_file`; empty where there is none
    /// yet. It keeps `root` open. `share`: of the memory for indexes, what `index` takes.
    MaildirMaildrop(const MaildirContext& context, MaildropPlace place, MailRoot::Lease root,
                    Handle directory, Handle lock_file, std::shared_ptr<const MaildropIndex> index,
                    IndexMemory::Share share)
        : context_(context),
          place_(std::move(place)),
          root_(std::move(root)),
          directory_(std::move(directory)),
          lock_file_(std::move(lock_file)),
          share_(std::move(share)),
          index_(std::move(index)),
          generation_(index_->generation()) {}

    std::uint32_t count() const override { return index_->count(); }
    pop3::Octets octets() const override { return index_->octets(); }
    MessageFacts message(std::uint32_t index) const override {
        const MaildropIndex::Listed listed = index_->listed(index);
        return {listed.octets, listed.unique_id};
    }
    std::uint32_t list(pop3::Listing listing, std::uint32_t first, const pop3::DeletionMarks& marks,
                       pop3::ListingWriter& lines) const override {
        return index_->list(listing, first, marks, lines);
    }
    Task<Result<MessageSource*>> open_message(std::uint32_t index) override;
    void close_message() override { source_.reset(); }
    Task<void> note_changed(std::uint32_t index) override;
    Task<CommitOutcome> commit(const pop3::DeletionMarks& marks) override;

private:
    /// A marked message on its way out, under the name that it was last seen with.
    struct Pending {
        std::uint32_t message;
        Folder folder;
        std::string name;
        /// Nothing: its folder's, which is right on most file systems.
        std::optional<std::uint64_t> device = std::nullopt;
        bool is_removed = false;  ///< under this name; it may have others
    };
    enum class Whereabouts : std::uint8_t { found, gone, renamed_again, unknown };
    /// A folder that loses messages.
    struct LosingFolder {
        Handle handle;
        bool has_lost = false;
    };

    /// Of a maildrop that turns out to be another than its index says, or loses messages.
    struct Changes {
        std::set<std::uint32_t> noted;  ///< messages
        std::array<LosingFolder, 2> losing;
    };

    /// An open file and what it is.
    struct OpenFile {
        Handle handle;
        FileStatus status;
    };

    Result<OpenFile> file_of(std::int64_t opened, const FileStatus& status) const;
    Task<Result<OpenFile>> open_renamed(IndexedMessage message);
    Task<Result<OpenFile>> open_one_of(std::span<const ScannedFile> files, std::uint64_t inode);
    Task<Result<void>> scan_again();
    std::shared_ptr<const MaildropIndex> noted_index();

    Task<bool> remove(std::vector<Pending>& pending);
    Task<bool> relocate(std::vector<Pending>& pending);
    Task<Whereabouts> relocate_one(Pending& message);
    Task<bool> open_losing(std::vector<Pending>& pending);
    Task<int> open_losing(Folder folder);
    Task<bool> note_loss();
    Task<bool> make_durable();
    bool settle(std::vector<Pending>& pending, const std::vector<Removal>& removals);
    std::uint64_t device_of(Folder folder) const;
    Changes& changes();
    LosingFolder& losing(Folder folder) {
        return changes().losing[static_cast<std::size_t>(folder)];
    }
    void complain(std::string_view what, int system_errno);

    const MaildirContext& context_;
    const MaildropPlace place_;
    const MailRoot::Lease root_;
    const Handle directory_;
    const Handle lock_file_;
    IndexMemory::Share share_;
    const std::shared_ptr<const MaildropIndex> index_;
    std::uint32_t generation_;  // of what was last kept
    // Not in place: most sessions look, find nothing and wait.
    std::unique_ptr<Scan> last_scan_;
    std::unique_ptr<FileSource> source_;
    std::unique_ptr<Changes> changes_;
};

}  // namespace restante
