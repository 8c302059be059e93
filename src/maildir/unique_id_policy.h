#pragma once
/// Which unique-id and which place a file should have, by its name and by the lists of former
/// servers: without regard to other files (unique_ids.h) and to what an index remembers.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text_arena.h"
#include "maildir/courier_sizelist.h"
#include "maildir/dovecot_uidlist.h"
#include "maildir/index_file.h"
#include "maildir/maildir_name.h"
#include "maildir/uidl_format.h"

namespace restante {

/// [pop3] unique_id and dovecot_uidl_format.
struct UniqueIdPolicy {
    enum class Mode : std::uint8_t {
        automatic,  ///< a dovecot-uidlist, else a courierpop3dsizelist, else derived
        filename,   ///< the name up to ':' with everything; no list
        dovecot,    ///< the dovecot-uidlist; without one, a format that needs a name only still
                    ///< applies
        courier,    ///< the courierpop3dsizelist
    };
    Mode mode = Mode::automatic;
    UidlFormat format;

    bool reads_dovecot() const { return mode == Mode::automatic || mode == Mode::dovecot; }
    bool reads_courier() const { return mode == Mode::automatic || mode == Mode::courier; }
    /// For IndexTrust::policy.
    std::uint64_t hash() const;
};

/// The maildrop's own lists; nullptr where there is none.
struct ForeignLists {
    const DovecotUidlist* dovecot = nullptr;
    const CourierSizelist* courier = nullptr;
};

struct WantedId {
    std::string_view id;  ///< a unique-id (RFC 1939 §7)
    UniqueIdKind kind;    ///< derived or foreign
};

/// A message's place: those with a POP3 order of Dovecot's, ascending; those with a uid, ascending;
/// the others by arrival. Views into the base name.
struct NumberKey {
    std::uint8_t rank;
    std::uint32_t number;  ///< order or uid
    std::uint32_t uid;
    ArrivalKey arrival;
    friend std::strong_ordering operator<=>(const NumberKey&, const NumberKey&) = default;
};

class WantedIds {
public:
    /// `policy` and the lists must outlive it. Lists that the policy does not read are not used.
    WantedIds(const UniqueIdPolicy& policy, const ForeignLists& lists);
    /// The id lives as long as this and `base`. Same base, same answer.
    WantedId of(std::string_view base);
    NumberKey number_key(std::string_view base) const;

private:
    std::string foreign_id(std::string_view base) const;
    std::string dovecot_id(std::string_view base) const;
    std::string_view lasting(std::string_view id, std::string_view base);

    const UniqueIdPolicy& policy_;
    ForeignLists lists_;
    std::string scratch_;
    TextArena ids_;
};

}  // namespace restante
