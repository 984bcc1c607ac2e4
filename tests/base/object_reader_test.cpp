// SPDX-License-Identifier: Apache-2.0
#include "base/object_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace npusim::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// One document being read, with everything that was reported.
struct Reading {
  explicit Reading(std::string_view text) : document(parse_json(text, "t.json")) {}
  ObjectReader reader() { return ObjectReader(ValueReader(document, "", diagnostics)); }
  std::vector<std::string> reports() const {
    std::vector<std::string> lines;
    for (const Diagnostic& item : diagnostics.items()) lines.push_back(to_string(item));
    return lines;
  }
  JsonValue document;
  Diagnostics diagnostics;
};

TEST(ObjectReader, ReadsWhatIsThereAndDefaultsWhatIsNot) {
  Reading reading(R"({"rows":128,"scale":0.5,"name":"x","on":true})");
  ObjectReader reader = reading.reader();
  EXPECT_EQ(reader.integer("rows", kPositive), 128);
  EXPECT_EQ(reader.integer("cols", kPositive, 16), 16);
  EXPECT_EQ(reader.number("scale", kPositiveNumber), 0.5);
  EXPECT_EQ(reader.string("name"), "x");
  EXPECT_TRUE(reader.boolean("on"));
  EXPECT_FALSE(reader.boolean("off", false));
  reader.finish();
  EXPECT_TRUE(reading.diagnostics.empty());
}

TEST(ObjectReader, ReportsEveryMistakeOfAnObjectAtOnce) {
  Reading reading("{\"rows\": 3.7,\n \"cols\": -1,\n \"clock\": \"fast\",\n \"clok\": 1}");
  ObjectReader reader = reading.reader();
  reader.integer("rows", kPositive);
  reader.integer("cols", {1, 4096});
  reader.number("clock", kPositiveNumber);
  reader.string("name");
  reader.finish();
  EXPECT_THAT(
      reading.reports(),
      ElementsAre(
          "t.json:1:10: /rows: 3.7 is not an integer; allowed: an integer from 1 to 1099511627776",
          "t.json:2:10: /cols: -1 is out of range; allowed: an integer from 1 to 4096",
          "t.json:3:11: /clock: \"fast\" is a string; allowed: a number above 0.0 to 1e+30",
          "t.json:1:1: /name: key \"name\" is missing; allowed: a string",
          "t.json:4:10: /clok: unknown key \"clok\" (did you mean \"clock\"?); allowed: rows, "
          "cols, "
          "clock, name"));
}

TEST(ObjectReader, IntegralRealsAreIntegers) {
  Reading reading(R"({"a":1e9,"b":3.0,"c":1e300})");
  ObjectReader reader = reading.reader();
  EXPECT_EQ(reader.integer("a", kPositive), 1000000000);
  EXPECT_EQ(reader.integer("b", kPositive), 3);
  EXPECT_TRUE(reading.diagnostics.empty());
  reader.integer("c", kPositive);
  EXPECT_EQ(reading.diagnostics.items().size(), 1U);
}

TEST(ObjectReader, FallbackStaysInsideTheRange) {
  Reading reading(R"({"a":5})");
  ObjectReader reader = reading.reader();
  EXPECT_EQ(reader.integer("missing", {16, 64}), 16);
  EXPECT_EQ(reader.integer("a", {16, 64}), 16);
  EXPECT_EQ(reader.number("gone", {2.0, 3.0}), 2.0);
}

TEST(ObjectReader, OpenLowEndIsNotAllowed) {
  Reading reading(R"({"a":0,"b":0})");
  ObjectReader reader = reading.reader();
  reader.number("a", kPositiveNumber);
  reader.number("b", kNonNegativeNumber);
  ASSERT_EQ(reading.diagnostics.items().size(), 1U);
  EXPECT_EQ(reading.diagnostics.items()[0].pointer, "/a");
}

enum class Tail { pad, drop };

TEST(ObjectReader, ChoicesAreNamedInTheError) {
  Reading reading(R"({"tail":"pda","other":"drop","third":4})");
  ObjectReader reader = reading.reader();
  const std::vector<std::pair<std::string, Tail>> table = {{"pad", Tail::pad},
                                                           {"drop", Tail::drop}};
  EXPECT_EQ(reader.choice<Tail>("tail", table), Tail::pad);
  EXPECT_EQ(reader.choice<Tail>("other", table), Tail::drop);
  EXPECT_EQ(reader.choice<Tail>("none", table, Tail::drop), Tail::drop);
  reader.choice<Tail>("third", table);
  EXPECT_THAT(
      reading.reports(),
      ElementsAre(
          "t.json:1:9: /tail: unknown value \"pda\" (did you mean \"pad\"?); allowed: pad, drop",
          "t.json:1:38: /third: 4 is an integer; allowed: pad, drop"));
}

TEST(ObjectReader, NestedPlacesHaveEscapedPointers) {
  Reading reading(R"({"list":[{"a/b":1},{"a/b":"x"}]})");
  ObjectReader reader = reading.reader();
  for (const ValueReader& element : reader.array("list"))
    ObjectReader(element).integer("a/b", kPositive);
  ASSERT_EQ(reading.diagnostics.items().size(), 1U);
  EXPECT_EQ(reading.diagnostics.items()[0].pointer, "/list/1/a~1b");
}

TEST(ObjectReader, ANonObjectIsReportedOnceOnly) {
  Reading reading("[1]");
  ObjectReader reader = reading.reader();
  reader.integer("rows", kPositive);
  reader.object("dma");
  reader.array("layers");
  reader.finish();
  EXPECT_THAT(reading.reports(), ElementsAre("t.json:1:1: this is an array; allowed: an object"));
}

TEST(ObjectReader, HasMakesAKeyKnown) {
  Reading reading(R"({"a":null})");
  ObjectReader reader = reading.reader();
  EXPECT_TRUE(reader.has("a"));
  EXPECT_FALSE(reader.has("b"));
  reader.finish();
  EXPECT_TRUE(reading.diagnostics.empty());
}

TEST(ObjectReader, OptionalContainersMayBeAbsentButNotWrong) {
  Reading reading(R"({"list":3})");
  ObjectReader reader = reading.reader();
  EXPECT_FALSE(reader.optional_object("none").has_value());
  EXPECT_TRUE(reader.optional_array("nothing").empty());
  EXPECT_TRUE(reading.diagnostics.empty());
  reader.optional_array("list");
  EXPECT_THAT(reading.reports(),
              ElementsAre(HasSubstr("/list: 3 is an integer; allowed: an array")));
}

TEST(ObjectReader, LongOffendingValuesAreCutAtACharacter) {
  std::string text = "{\"a\":\"";
  for (int i = 0; i < 50; ++i) text += "\xC3\xA9";
  Reading reading(text + "\"}");
  reading.reader().integer("a", kPositive);
  const std::string message = reading.diagnostics.items()[0].message;
  EXPECT_LT(message.size(), 80U);
  EXPECT_NO_THROW(parse_json(dump_json(JsonValue::make_string(message)), "t"));
  EXPECT_EQ(message.find("\xC3."), std::string::npos);
}

TEST(DidYouMean, FindsSlipsAndSwapsButNothingFar) {
  const std::vector<std::string> names = {"rows", "cols", "organisation"};
  EXPECT_EQ(did_you_mean("row", names), "rows");
  EXPECT_EQ(did_you_mean("rwos", names), "rows");
  EXPECT_EQ(did_you_mean("organization", names), "organisation");
  EXPECT_EQ(did_you_mean("bandwidth", names), "");
  EXPECT_EQ(did_you_mean("x", {"y"}), "");
  EXPECT_EQ(did_you_mean("", names), "");
  EXPECT_EQ(did_you_mean(std::string(100000, 'a'), names), "");
}

}  // namespace
}  // namespace npusim::base
