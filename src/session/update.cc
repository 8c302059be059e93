#include "session/session.h"

namespace restante {

/// RFC 1939 §6: the only place from which a message is removed. QUIT and its line end have been
/// received.
Task<Result<Departure>> Session::update() {
    enter(Phase::update);
    if (visit_->marks.marked_count() > 0) {
        const CommitOutcome outcome = co_await visit_->maildrop->commit(visit_->marks);
        if (outcome != CommitOutcome::done) {
            output_.reply(pop3::Reply::err(pop3::ResponseCode::sys_temp,
                                           "some deleted messages not removed"));
            co_return Departure::update_incomplete;
        }
    }
    output_.reply(pop3::Reply::ok("bye"));
    co_return Departure::logged_out;
}

}  // namespace restante
