#pragma once
/// The same for the tests, in every kind of build.

#include <doctest/doctest.h>

#include "precompiled/standard.h"
