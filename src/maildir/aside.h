#pragma once
/// What a reactor computes about a maildrop, where it is so large that the other sessions would
/// notice.

#include <cstddef>

#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// Messages from which on work about all of them is a helper's: it takes a reactor 0.5 to 5 us a
/// message.
inline constexpr std::size_t aside_from = 1000;

/// Code to be called later, which somebody else owns.
template <class Function>
class FunctionWork final : public Work {
public:
    explicit FunctionWork(Function& function) : function_(function) {}
    void run() override { function_(); }

private:
    Function& function_;
};

/// Calls `function`, which nobody may wait for elsewhere and which uses only what nobody else does
/// meanwhile: by a helper where it is about many `messages`, here where they are few or the helpers
/// have too much to do. It must outlive the task.
template <class Function>
Task<void> run_aside(Ring& ring, std::size_t messages, Function& function) {
    if (messages >= aside_from) {
        FunctionWork<Function> work(function);
        const std::int64_t ran = co_await perform(ring, Request::offload(HelperKind::files, work));
        if (ran == 0) co_return;
    }
    function();
}

}  // namespace restante
