// SPDX-License-Identifier: Apache-2.0
#include "sim/training/advise.h"
#include "sim/training/train_report.h"

namespace npusim::sim {

base::JsonValue json_of(const Advice& advice) {
  using base::JsonValue;
  JsonValue v = JsonValue::make_object();
  v.set("schema_version", 1);
  v.set("kind", "advice");
  v.set("recommended", advice.recommended.empty() ? JsonValue::make_null()
                                                  : JsonValue::make_string(advice.recommended));
  v.set("setting",
        advice.setting.empty() ? JsonValue::make_null() : JsonValue::make_string(advice.setting));
  v.set("reason", advice.reason);
  JsonValue questions = JsonValue::make_array();
  for (const AdviceQuestion& q : advice.questions) {
    JsonValue item = JsonValue::make_object();
    item.set("question", q.question);
    item.set("seen", q.seen);
    item.set("yes", q.yes);
    item.set("tried", q.tried.empty() ? JsonValue::make_null() : JsonValue::make_string(q.tried));
    questions.push_back(std::move(item));
  }
  v.set("questions", std::move(questions));
  v.set("experiment", json_of(advice.experiment));
  return v;
}

namespace {

std::string questions_of(const Advice& advice, const std::string& bullet) {
  std::string text;
  for (const AdviceQuestion& q : advice.questions) {
    text += bullet + q.question + " " + (q.yes ? "Yes" : "No") + ": " + q.seen;
    if (!q.tried.empty()) text += "; tried " + q.tried;
    text += "\n";
  }
  return text;
}

std::string conclusion(const Advice& advice) {
  if (advice.recommended.empty()) return "No recommendation: " + advice.reason + "\n";
  const std::string setting = advice.setting.empty() ? "" : " with --set " + advice.setting;
  return "Recommended: " + advice.recommended + setting + ", because " + advice.reason + "\n";
}

}  // namespace

std::string text_of(const Advice& advice) {
  return table_of(advice.experiment) + "\n" + questions_of(advice, "") + conclusion(advice);
}

std::string markdown_of(const Advice& advice) {
  return markdown_of(advice.experiment) + "\n" + questions_of(advice, "- ") + "\n" +
         conclusion(advice);
}

}  // namespace npusim::sim
