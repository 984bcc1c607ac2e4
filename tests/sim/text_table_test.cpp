// SPDX-License-Identifier: Apache-2.0
#include "sim/writers/text_table.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace npusim::sim {
namespace {

TextTable sample() {
  TextTable table;
  table.column("name");
  table.column("cycles", true);
  table.row({"a", "1,000"});
  table.row({"µ|x", "7"});
  return table;
}

TEST(TextTable, AlignsByTerminalColumnsNotBytes) {
  EXPECT_EQ(sample().aligned(), "name  cycles\n----  ------\na      1,000\nµ|x        7\n");
}

TEST(TextTable, MarkdownEscapesBars) {
  EXPECT_EQ(sample().markdown(), "| name | cycles |\n|---|---:|\n| a | 1,000 |\n| µ\\|x | 7 |\n");
}

TEST(TextTable, CsvQuotesWhatNeedsIt) {
  TextTable table;
  table.column("a");
  table.column("b");
  table.row({"x,y", "say \"hi\""});
  EXPECT_EQ(table.csv(), "a,b\r\n\"x,y\",\"say \"\"hi\"\"\"\r\n");
}

TEST(TextTable, RefusesARowOfAnotherWidth) {
  TextTable table;
  table.column("a");
  EXPECT_THROW(table.row({"1", "2"}), base::InternalError);
}

}  // namespace
}  // namespace npusim::sim
