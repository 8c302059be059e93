#pragma once
/// The users of seeded maildrops, as files for the server and for the load generator.

#include <optional>
#include <string>

#include "seed.h"
#include "seed_folder.h"
#include "users.h"

namespace pop3load {

/// Whether the files that `options` name may be written: they are not there, or were written by
/// this function's sister. To be asked before anything is made.
Done check_account_files(const SeedOptions& options);
/// Writes those that `options` name. Everybody may read them: the server runs as another user, and
/// their passwords protect nothing.
Done write_account_files(const SeedOptions& options, const Users& users);

}  // namespace pop3load
