#pragma once
/// The folder above all maildrops, while it is in use.

#include <cstdint>
#include <optional>

#include "ring/file_types.h"
#include "ring/ring.h"

namespace restante {

/// A reactor's. It is looked at by its name at each login, or once in `look_interval` where logins
/// come faster. Between two looks it stays open, as long as somebody has a Lease: an open maildrop
/// keeps the root's mount busy anyway, and without one the operator can unmount it.
class MailRoot {
public:
    static constexpr Duration look_interval = std::chrono::milliseconds(10);

    /// Owned by who works below the root; move-only.
    class Lease {
    public:
        Lease() = default;  ///< empty
        Lease(Lease&& other) noexcept : root_(other.root_) { other.root_ = nullptr; }
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (root_ != nullptr) root_->give_back();
        }

        /// A place, to open names in; not of an empty one.
        int get() const { return root_->open_.get(); }

    private:
        friend class MailRoot;
        explicit Lease(MailRoot& root) : root_(&root) { ++root.leases_; }
        MailRoot* root_ = nullptr;
    };

    MailRoot() = default;
    MailRoot(const MailRoot&) = delete;
    MailRoot& operator=(const MailRoot&) = delete;
    ~MailRoot() { ASSERT(leases_ == 0); }

    /// It was looked at short enough before `now`, and is open.
    bool is_known(Instant now) const { return open_.is_open() && now - seen_ < look_interval; }
    /// Only where is_known().
    Lease lease() { return Lease(*this); }
    /// `opened` is what its name led to `now`. False: another folder than the first time, which is
    /// not to be worked in.
    bool accept(Handle opened, const FileStatus& status, Instant now);

private:
    struct Identity {
        std::uint64_t device;
        std::uint64_t inode;
    };
    void give_back() {
        if (--leases_ == 0) open_.reset();
    }

    Handle open_;
    std::optional<Identity> first_;
    Instant seen_;
    std::uint32_t leases_ = 0;
};

}  // namespace restante
