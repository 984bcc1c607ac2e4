// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gtest/gtest.h>

#include "base/hash.h"

namespace npusim::base {
namespace {

TEST(Diagnostic, PrintsPlacePointerMessageAndWhatIsAllowed) {
  const Diagnostic full{"a.json", 3, 7, "/rows", "out-of-range", "0 is out of range", "1 to 9"};
  EXPECT_EQ(to_string(full), "a.json:3:7: /rows: 0 is out of range; allowed: 1 to 9");
}

TEST(Diagnostic, LeavesOutWhatIsUnknown) {
  EXPECT_EQ(to_string({"", 0, 0, "", "x", "broken", ""}), "broken");
  EXPECT_EQ(to_string({"a.json", 0, 0, "", "x", "broken", ""}), "a.json: broken");
  EXPECT_EQ(to_string({"--set npu.a=1", 0, 0, "/a", "x", "broken", ""}),
            "--set npu.a=1: /a: broken");
}

TEST(InputError, WhatListsEveryDiagnosticOnALineOfItsOwn) {
  const InputError error({{"a", 1, 1, "", "x", "one", ""}, {"a", 2, 1, "", "x", "two", ""}});
  EXPECT_STREQ(error.what(), "a:1:1: one\na:2:1: two");
}

TEST(Diagnostics, ThrowsOnlyWhenSomethingWasCollected) {
  Diagnostics diagnostics;
  EXPECT_NO_THROW(diagnostics.throw_if_any());
  diagnostics.add({"a", 1, 1, "", "x", "one", ""});
  EXPECT_THROW(diagnostics.throw_if_any(), InputError);
}

TEST(Check, ThrowsInternalErrorThatNamesTheCondition) {
  const int rows = 0;
  EXPECT_NO_THROW(NPUSIM_CHECK(rows == 0, "fine"));
  try {
    NPUSIM_CHECK(rows > 0, "an array has rows");
    FAIL() << "no exception";
  } catch (const InternalError& error) {
    EXPECT_NE(std::string(error.what()).find("an array has rows (rows > 0 does not hold)"),
              std::string::npos);
  }
}

// Published test vectors of FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/).
TEST(Hash, MatchesThePublishedVectors) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8ULL);
  EXPECT_EQ(fnv1a("bar", fnv1a("foo")), fnv1a("foobar"));
}

TEST(Hash, HexHasSixteenDigits) {
  EXPECT_EQ(hex64(0), "0000000000000000");
  EXPECT_EQ(hex64(0x85944171f73967e8ULL), "85944171f73967e8");
}

}  // namespace
}  // namespace npusim::base
