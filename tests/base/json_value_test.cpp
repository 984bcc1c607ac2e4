// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/cpu_time.h"

namespace npusim::base {
namespace {

using ::testing::HasSubstr;

Diagnostic error_of(std::string_view text) {
  try {
    parse_json(text, "t.json");
  } catch (const InputError& error) {
    return error.diagnostics().front();
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 60);
  return {};
}

std::string place_of(std::string_view text) {
  const Diagnostic found = error_of(text);
  return found.file + ":" + std::to_string(found.line) + ":" + std::to_string(found.column);
}

TEST(JsonParse, EveryValueKnowsItsPlace) {
  const JsonValue root = parse_json(
      "{\n"
      "  \"a\" : 12,\n"
      "  \"b,]\\\"x\": [true,null , \"s\\\\\",\n"
      "\t-1.5e3, {}],\n"
      "  \"c\":{\"d\":\n"
      "7}}",
      "t.json");
  const auto at = [](const JsonValue& v) { return std::pair(v.origin().line, v.origin().column); };
  EXPECT_EQ(at(root), std::pair(1, 1));
  EXPECT_EQ(at(*root.find("a")), std::pair(2, 9));
  const JsonValue& list = *root.find("b,]\"x");
  EXPECT_EQ(at(list), std::pair(3, 13));
  EXPECT_EQ(at(list.items()[0]), std::pair(3, 14));
  EXPECT_EQ(at(list.items()[1]), std::pair(3, 19));
  EXPECT_EQ(at(list.items()[2]), std::pair(3, 26));
  EXPECT_EQ(at(list.items()[3]), std::pair(4, 2));
  EXPECT_EQ(at(list.items()[4]), std::pair(4, 10));
  EXPECT_EQ(at(*root.find("c")), std::pair(5, 7));
  EXPECT_EQ(at(*root.find("c")->find("d")), std::pair(6, 1));
  EXPECT_EQ(*root.origin().file, "t.json");
}

TEST(JsonParse, KindsAndValues) {
  const JsonValue root =
      parse_json(R"([9223372036854775807,-9223372036854775808,3.0,1e3,"\u00e9",false])", "t");
  EXPECT_EQ(root.items()[0].integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(root.items()[1].integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(root.items()[2].kind(), JsonValue::Kind::real);
  EXPECT_EQ(root.items()[3].number(), 1000.0);
  EXPECT_EQ(root.items()[4].string(), "\xC3\xA9");
  EXPECT_FALSE(root.items()[5].boolean());
}

TEST(JsonParse, MembersKeepTheirOrder) {
  const JsonValue root = parse_json(R"({"z":1,"a":2,"m":3})", "t");
  std::string order;
  for (const auto& member : root.members()) order += member.first;
  EXPECT_EQ(order, "zam");
}

TEST(JsonParse, ByteOrderMarkIsSkipped) {
  const JsonValue root = parse_json("\xEF\xBB\xBF[1]", "t");
  EXPECT_EQ(root.items()[0].integer(), 1);
  EXPECT_EQ(root.items()[0].origin().column, 2);
}

TEST(JsonParse, DuplicateKeyIsAnErrorAtItsSecondPlace) {
  EXPECT_EQ(error_of("{\"a\":1,\n \"a\":2}").code, "duplicate-key");
  EXPECT_EQ(place_of("{\"a\":1,\n \"a\":2}"), "t.json:2:2");
  EXPECT_EQ(error_of(R"({"a":1,"\u0061":2})").code,
            "duplicate-key");  // the same key, spelt differently
  EXPECT_NO_THROW(parse_json(R"({"a":{"a":1},"b":{"a":1}})", "t"));
}

TEST(JsonParse, MistakesOfAValueHaveAPointer) {
  EXPECT_EQ(error_of(R"({"a":[1,{"b/c":{"d":1,"d":2}}]})").pointer, "/a/1/b~1c/d");
  EXPECT_EQ(error_of(R"({"a":[1,99999999999999999999]})").pointer, "/a/1");
  EXPECT_EQ(error_of(R"({"a":{"b":99999999999999999999}})").pointer, "/a/b");
  EXPECT_EQ(error_of("99999999999999999999").pointer, "");
}

TEST(JsonParse, SyntaxErrorsHaveAPlace) {
  EXPECT_EQ(place_of("[1,\n 2 3]"), "t.json:2:4");
  EXPECT_EQ(place_of("[1,,2]"), "t.json:1:4");
  EXPECT_EQ(place_of("{\"a\" 1}"), "t.json:1:6");
  EXPECT_EQ(place_of("[\n\n"), "t.json:3:1");
  EXPECT_EQ(place_of(""), "t.json:1:1");
  EXPECT_EQ(place_of("{} x"), "t.json:1:4");
  EXPECT_EQ(place_of("[1,\n\"abc"), "t.json:2:1");
}

TEST(JsonParse, RefusesWhatIsNotJson) {
  for (const char* text :
       {"[NaN]",      "[Infinity]", "[-Infinity]", "[nan]",    "[01]",      "[+1]",
        "[.5]",       "[1.]",       "[0x10]",      "['a']",    "[1,]",      "{\"a\":1,}",
        "{a:1}",      "// c\n1",    "/* c */ 1",   "[\"\t\"]", "[\"\\x\"]", "[\"\\ud800\"]",
        "[\"\xFF\"]", "nul",        "1 2",         "]",        "{\"a\"}"}) {
    EXPECT_EQ(error_of(text).code, "syntax") << text;
  }
}

TEST(JsonParse, NulByteIsAnErrorEvenAfterTheDocument) {
  using namespace std::string_view_literals;
  EXPECT_THAT(error_of("[1]\0[2]"sv).message, HasSubstr("NUL"));
  EXPECT_EQ(place_of("[1]\n \0"sv), "t.json:2:2");
}

TEST(JsonParse, NumbersThatDoNotFitAreErrors) {
  EXPECT_EQ(error_of("[9223372036854775808]").code, "out-of-range");
  EXPECT_EQ(error_of("[-9223372036854775809]").code, "out-of-range");
  EXPECT_EQ(error_of("[99999999999999999999999]").code, "out-of-range");
  EXPECT_EQ(place_of("[1, 1e999]"), "t.json:1:5");
  EXPECT_EQ(parse_json("1e-999", "t").number(), 0.0);
}

TEST(JsonParse, DepthIsLimited) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse_json(nested(64), "t"));
  EXPECT_EQ(error_of(nested(65)).code, "too-deep");
  EXPECT_EQ(place_of(nested(65)), "t.json:1:65");
}

TEST(JsonParse, AMillionBracketsFailFast) {
  const test::CpuTime cpu;
  EXPECT_EQ(error_of(std::string(1'000'000, '[')).code, "too-deep");
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(error_of(objects).code, "too-deep");
  EXPECT_LT(cpu.seconds(), 1.0 * test::slow_build);
}

TEST(JsonDump, NumbersKeepTheirKind) {
  EXPECT_EQ(dump_json(JsonValue::make_integer(1), -1), "1");
  EXPECT_EQ(dump_json(JsonValue::make_real(1.0), -1), "1.0");
  EXPECT_EQ(dump_json(JsonValue::make_real(-0.0), -1), "-0.0");
  EXPECT_EQ(dump_json(JsonValue::make_real(0.1), -1), "0.1");
  EXPECT_EQ(dump_json(JsonValue::make_real(1e300), -1), "1e+300");
  EXPECT_EQ(dump_json(JsonValue::make_real(5e-324), -1), "5e-324");
  EXPECT_EQ(dump_json(JsonValue::make_real(std::nan("")), -1), "null");
  EXPECT_EQ(dump_json(JsonValue::make_real(HUGE_VAL), -1), "null");
}

TEST(JsonDump, StringsAreEscaped) {
  EXPECT_EQ(dump_json(JsonValue::make_string("a\"b\\c\n\x01"), -1), R"("a\"b\\c\n\u0001")");
  EXPECT_EQ(dump_json(JsonValue::make_string("\xC3\xA9"), -1), "\"\xC3\xA9\"");
  EXPECT_NO_THROW(parse_json(dump_json(JsonValue::make_string("bad \xFF bytes")), "t"));
}

TEST(JsonDump, IndentsAndKeepsEmptyContainersOnOneLine) {
  JsonValue root = JsonValue::make_object();
  root.set("a", 1);
  root.set("list", JsonValue::make_array()).push_back(JsonValue::make_bool(true));
  root.set("none", JsonValue::make_object());
  EXPECT_EQ(dump_json(root), "{\n  \"a\": 1,\n  \"list\": [\n    true\n  ],\n  \"none\": {}\n}");
  EXPECT_EQ(dump_json(root, -1), R"({"a":1,"list":[true],"none":{}})");
}

TEST(JsonValue, SetReplacesInPlace) {
  JsonValue root = JsonValue::make_object();
  root.set("a", 1);
  root.set("b", 2.5);
  root.set("a", "text");
  EXPECT_EQ(dump_json(root, -1), R"({"a":"text","b":2.5})");
}

TEST(JsonValue, WrongAccessIsAnInternalError) {
  EXPECT_THROW(JsonValue::make_integer(1).string(), InternalError);
  EXPECT_THROW(JsonValue::make_real(1).integer(), InternalError);
  EXPECT_THROW(JsonValue::make_array().find("a"), InternalError);
}

TEST(JsonValue, PointerTokensAreEscaped) {
  EXPECT_EQ(pointer_token("a/b~c"), "a~1b~0c");
}

}  // namespace
}  // namespace npusim::base
