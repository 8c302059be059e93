#include "maildir/foreign_lists.h"

#include <fmt/format.h>

#include <utility>

#include "maildir/measure.h"

namespace restante {
namespace {

constexpr std::uint64_t list_octets_max = std::uint64_t{1} << 28;

/// Whose maildrop it is, and where.
struct Site {
    const MaildirContext& context;
    const MaildropPlace& place;
    int directory;
};

template <class List>
Task<Result<void>> read_list(Site site, const char* name, std::vector<char>& text,
                             std::optional<List>& list) {
    Result<std::vector<char>> read =
        co_await read_file(site.context.ring, site.directory, name, list_octets_max);
    if (!read && read.error().kind == ErrorKind::not_found) co_return Result<void>();
    if (!read) co_return std::unexpected(read.error());
    text = std::move(*read);
    list = List::parse({text.data(), text.size()});
    if (const ListComplaints& complaints = list->complaints(); complaints.total() > 0) {
        const ListComplaint& first = complaints.kept().front();
        site.place.write(site.context.log, LogLevel::warn,
                         fmt::format("{}: {} lines not understood, the others count; line {}: {}",
                                     name, complaints.total(), first.line, first.reason));
    }
    co_return Result<void>();
}

}  // namespace

Task<Result<LoadedLists>> load_foreign_lists(const MaildirContext& context,
                                             const MaildropPlace& place, int directory) {
    const Site site{context, place, directory};
    LoadedLists lists;
    Result<void> read;
    if (context.options.unique_ids.reads_dovecot()) {
        read = co_await read_list(site, uidlist_name, lists.dovecot_text, lists.dovecot);
        if (!read) co_return std::unexpected(read.error());
    }
    if (context.options.unique_ids.reads_courier()) {
        read = co_await read_list(site, sizelist_name, lists.courier_text, lists.courier);
        if (!read) co_return std::unexpected(read.error());
    }
    co_return lists;
}

}  // namespace restante
