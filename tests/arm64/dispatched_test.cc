/// That the processor which tests/arm64/run emulates has the instructions it is emulated for.

#include <cstdlib>
#include <string>

#include <doctest/doctest.h>
#include <hwy/targets.h>

TEST_CASE("the vector instructions in force are those that the run is for") {
    const std::string target = hwy::TargetName(hwy::SupportedAndGeneratedTargets().front());
    // Asked before its first dispatch, Highway 1.0.3 would stay with SVE2 where there is SVE_256.
    hwy::SetSupportedTargetsForTest(0);
    CHECK(target == std::getenv("RESTANTE_ARM64_TARGET"));
}
