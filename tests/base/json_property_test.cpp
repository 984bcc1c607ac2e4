// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>

#include "base/json_value.h"

namespace npusim::base {
namespace {

double any_finite_double() {
  while (true) {
    const auto bits = *rc::gen::arbitrary<std::uint64_t>();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isfinite(value)) return value;
  }
}

std::string any_text() {
  // Code points of one to three bytes, control characters and quotes among them.
  std::string text;
  const int length = *rc::gen::inRange(0, 6);
  for (int i = 0; i < length; ++i) {
    const auto point = *rc::gen::inRange<std::uint32_t>(1, 0xD800);
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else if (point < 0x800) {
      text += static_cast<char>(0xC0U | (point >> 6U));
      text += static_cast<char>(0x80U | (point & 63U));
    } else {
      text += static_cast<char>(0xE0U | (point >> 12U));
      text += static_cast<char>(0x80U | ((point >> 6U) & 63U));
      text += static_cast<char>(0x80U | (point & 63U));
    }
  }
  return text;
}

JsonValue any_value(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 7 : 5)) {
    case 0:
      return JsonValue::make_null();
    case 1:
      return JsonValue::make_bool(*rc::gen::arbitrary<bool>());
    case 2:
      return JsonValue::make_integer(*rc::gen::arbitrary<std::int64_t>());
    case 3:
      return JsonValue::make_real(any_finite_double());
    case 4:
      return JsonValue::make_string(any_text());
    case 5: {
      JsonValue list = JsonValue::make_array();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) list.push_back(any_value(depth - 1));
      return list;
    }
    default: {
      JsonValue object = JsonValue::make_object();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
        object.set(any_text(), any_value(depth - 1));
      return object;
    }
  }
}

bool same(const JsonValue& a, const JsonValue& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case JsonValue::Kind::null:
      return true;
    case JsonValue::Kind::boolean:
      return a.boolean() == b.boolean();
    case JsonValue::Kind::integer:
      return a.integer() == b.integer();
    case JsonValue::Kind::real:
      return a.number() == b.number() && std::signbit(a.number()) == std::signbit(b.number());
    case JsonValue::Kind::string:
      return a.string() == b.string();
    case JsonValue::Kind::array:
      return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                        same);
    default:
      return std::equal(a.members().begin(), a.members().end(), b.members().begin(),
                        b.members().end(), [](const auto& x, const auto& y) {
                          return x.first == y.first && same(x.second, y.second);
                        });
  }
}

TEST(JsonProperty, WhatIsDumpedReadsBackTheSame) {
  EXPECT_TRUE(rc::check("dump then parse is the identity", [] {
    const JsonValue value = any_value(3);
    for (const int indent : {-1, 0, 2}) {
      RC_ASSERT(same(parse_json(dump_json(value, indent), "dumped"), value));
    }
  }));
}

TEST(JsonProperty, DoublesKeepTheirBits) {
  EXPECT_TRUE(rc::check("a double prints so that it reads back", [] {
    const double value = any_finite_double();
    const JsonValue back = parse_json(dump_json(JsonValue::make_real(value), -1), "dumped");
    const double read = back.number();
    RC_ASSERT(back.kind() == JsonValue::Kind::real);
    RC_ASSERT(std::memcmp(&read, &value, sizeof value) == 0);
  }));
}

TEST(JsonProperty, ArbitraryBytesParseOrThrowInputError) {
  EXPECT_TRUE(rc::check("no input crashes the parser", [] {
    const auto text = *rc::gen::container<std::string>(rc::gen::element(
        '{', '}', '[', ']', '"', ':', ',', '\\', 'u', '1', '-', '.', 'e', ' ', '\n', 't'));
    try {
      parse_json(text, "random");
    } catch (const InputError& error) {
      RC_ASSERT(error.diagnostics().front().line >= 1);
      RC_ASSERT(error.diagnostics().front().column >= 1);
    }
  }));
}

}  // namespace
}  // namespace npusim::base
