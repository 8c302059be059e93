#pragma once
/// The one interface to mail. Maildir (maildir_store.h) is the first implementation; no caller may
/// know of files, so that an object store with leased locks can follow.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "pop3/deletion_marks.h"
#include "pop3/listing.h"
#include "pop3/message_meter.h"
#include "pop3/types.h"
#include "ring/operation.h"
#include "ring/task.h"

namespace restante {

/// Whose maildrop it is, in the user database's words. `user` and `session` outlive the maildrop,
/// the others its opening.
struct MaildropOwner {
    std::string_view user;      ///< canonical name
    std::string_view home;      ///< "" = none
    std::string_view maildrop;  ///< an own maildrop's path, "" = as [storage] maildir says
    std::string_view session;   ///< the session's id, for log lines
};

/// What LIST and UIDL say of a message. `unique_id` lives as long as its Maildrop.
struct MessageFacts {
    pop3::Octets octets;
    std::string_view unique_id;
};

/// An open message: stored octets, in order, by offset.
class MessageSource {
public:
    virtual ~MessageSource() = default;
    /// What was learnt when it was read; its octets are what LIST said.
    virtual const pop3::MessageMeasure& measure() const = 0;
    /// It has not been written to since then: its octets need not be counted again.
    virtual bool is_as_measured() const = 0;
    /// When it was last written to, as of its opening.
    virtual WallTime modified() const = 0;
    /// The Request whose result is the octets read into `target` at `offset`, 0 at the end.
    virtual Request read(std::uint64_t offset, std::span<char> target) = 0;
    /// The descriptor, where the stored octets are a file's from its beginning: strategies may send
    /// it without reading it.
    virtual std::optional<int> file() const = 0;
};

/// How UPDATE ended. Everything but `done` is `-ERR [SYS/TEMP] some deleted messages not removed`.
enum class CommitOutcome : std::uint8_t {
    done,        ///< every marked message is gone, durably where configured
    incomplete,  ///< some are still there
    lease_lost,  ///< nothing was removed: exclusive access had ended (never said by a Maildir)
};

/// An open maildrop: locked (RFC 1939 §4) and fixed until it is destroyed, which ends the lock and
/// removes nothing. Messages have indexes 0 .. count() - 1 in the order of their numbers.
class Maildrop {
public:
    virtual ~Maildrop() = default;
    virtual std::uint32_t count() const = 0;
    virtual pop3::Octets octets() const = 0;  ///< of all messages
    virtual MessageFacts message(std::uint32_t index) const = 0;
    /// Lines of those that are not marked, from the message `first` on, as many as `lines` has room
    /// for; its next message is `first`. Returns the first message that is not dealt with.
    virtual std::uint32_t list(pop3::Listing listing, std::uint32_t first,
                               const pop3::DeletionMarks& marks,
                               pop3::ListingWriter& lines) const = 0;
    /// Opens it for reading; the source is the Maildrop's and valid until the next open_message(),
    /// close or commit(). Errors: not_found (removed by another program), refused, exhausted (out
    /// of descriptors, or not the file that was listed), broken.
    virtual Task<Result<MessageSource*>> open_message(std::uint32_t index) = 0;
    virtual void close_message() = 0;
    /// The message turned out not to be what was listed: refused from now on in this session,
    /// measured anew at the next login.
    virtual Task<void> note_changed(std::uint32_t index) = 0;
    /// Removes the marked messages and nothing else. To be called once, last, after QUIT and its
    /// line end were received (RFC 1939 §6).
    virtual Task<CommitOutcome> commit(const pop3::DeletionMarks& marks) = 0;
};

/// Why a maildrop was not opened.
enum class OpenRefusal : std::uint8_t {
    in_use,     ///< another session holds it: [IN-USE]
    temporary,  ///< [SYS/TEMP]: logged
    permanent,  ///< [SYS/PERM]: logged
};

using OpenedMaildrop = std::expected<std::unique_ptr<Maildrop>, OpenRefusal>;

class Store {
public:
    virtual ~Store() = default;
    /// Locks the maildrop and lists it. A user without one yet has an empty one; nothing is
    /// created.
    virtual Task<OpenedMaildrop> open(MaildropOwner owner) = 0;
};

}  // namespace restante
