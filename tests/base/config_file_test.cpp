// SPDX-License-Identifier: Apache-2.0
#include "base/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/base/temporary_folder.h"

namespace npusim::base {
namespace {

using test::TemporaryFolder;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string npu(const std::string& members) {
  return R"({"schema_version":1,"kind":"npu")" + (members.empty() ? "" : "," + members) + "}";
}

Diagnostic first_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.diagnostics().front();
  }
  ADD_FAILURE() << "no error";
  return {};
}

Diagnostic load_error(const std::string& path, const std::vector<Override>& overrides = {}) {
  return first_error([&] { load_config(path, "npu", overrides); });
}

std::vector<Override> overrides(const std::vector<std::string>& texts) {
  std::vector<Override> parsed;
  for (const std::string& text : texts) parsed.push_back(parse_override(text).override);
  return parsed;
}

TEST(ConfigFile, ChildPatchesParentAndOriginsStay) {
  const TemporaryFolder folder;
  folder.write("base/parent.json",
               npu("\n\"array\":{\"rows\":4,\"cols\":8},\"list\":[1,2],\"gone\":{\"x\":1}"));
  const std::string child = folder.write(
      "child.json", npu("\n\"extends\":\"base/"
                        "parent.json\",\n\"array\":{\"rows\":16},\"list\":[9],\"gone\":null"));
  const JsonValue merged = load_config(child, "npu");
  EXPECT_EQ(dump_json(merged, -1),
            R"({"schema_version":1,"kind":"npu","array":{"rows":16,"cols":8},"list":[9]})");
  const JsonValue& array = *merged.find("array");
  EXPECT_THAT(*array.find("rows")->origin().file, EndsWith("child.json"));
  EXPECT_EQ(array.find("rows")->origin().line, 3);
  EXPECT_THAT(*array.find("cols")->origin().file, EndsWith("base/parent.json"));
  EXPECT_EQ(array.find("cols")->origin().line, 2);
}

TEST(ConfigFile, GrandparentsAreFoundRelativeToTheFileThatNamesThem) {
  const TemporaryFolder folder;
  folder.write("a/one.json", npu("\"x\":1,\"y\":1,\"z\":1"));
  folder.write("b/two.json", npu("\"extends\":\"../a/one.json\",\"y\":2,\"z\":2"));
  const std::string three = folder.write("three.json", npu("\"extends\":\"b/two.json\",\"z\":3"));
  EXPECT_EQ(dump_json(load_config(three, "npu"), -1),
            R"({"schema_version":1,"kind":"npu","x":1,"y":2,"z":3})");
}

TEST(ConfigFile, HeaderMistakesAreReportedTogether) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.json", R"({"schema_version":2,"kind":"recipe"})");
  try {
    load_config(path, "npu");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    ASSERT_EQ(error.diagnostics().size(), 2U);
    EXPECT_EQ(error.diagnostics()[0].code, "unsupported-version");
    EXPECT_EQ(error.diagnostics()[0].allowed, "1");
    EXPECT_EQ(error.diagnostics()[1].code, "wrong-kind");
    EXPECT_EQ(error.diagnostics()[1].allowed, "npu");
  }
  EXPECT_EQ(load_error(folder.write("y.json", "{}")).code, "missing-key");
  EXPECT_EQ(load_error(folder.write("z.json", "[1]")).code, "wrong-type");
  EXPECT_EQ(load_error(folder.write("v.json", R"({"schema_version":"1","kind":"npu"})")).code,
            "wrong-type");
  EXPECT_EQ(load_error(folder.write("w.json", R"({"schema_version":1.5,"kind":"npu"})")).code,
            "unsupported-version");
}

TEST(ConfigFile, MissingFilesAreNamedWhereTheyAreAskedFor) {
  const TemporaryFolder folder;
  EXPECT_EQ(load_error(folder.file("none.json")).code, "missing-file");
  const Diagnostic parent =
      load_error(folder.write("x.json", npu("\n \"extends\":\"no/such.json\"")));
  EXPECT_EQ(parent.code, "missing-file");
  EXPECT_THAT(parent.file, EndsWith("x.json"));
  EXPECT_EQ(parent.line, 2);
  EXPECT_EQ(parent.pointer, "/extends");
  EXPECT_THAT(parent.message, HasSubstr("no/such.json"));
}

TEST(ConfigFile, CyclesAndLongChainsAreErrors) {
  const TemporaryFolder folder;
  EXPECT_EQ(load_error(folder.write("self.json", npu("\"extends\":\"./self.json\""))).code,
            "cyclic-extends");
  folder.write("b.json", npu("\"extends\":\"a.json\""));
  EXPECT_EQ(load_error(folder.write("a.json", npu("\"extends\":\"b.json\""))).code,
            "cyclic-extends");
  for (int i = 0; i < 20; ++i) {
    folder.write("c" + std::to_string(i) + ".json",
                 npu("\"extends\":\"c" + std::to_string(i + 1) + ".json\""));
  }
  folder.write("c20.json", npu(""));
  EXPECT_EQ(load_error(folder.file("c0.json")).code, "too-deep");
  EXPECT_NO_THROW(load_config(folder.file("c4.json"), "npu"));
  EXPECT_EQ(load_error(folder.file("c3.json")).code, "too-deep");
}

TEST(ConfigFile, ParentOfAnotherKindIsAnError) {
  const TemporaryFolder folder;
  folder.write("recipe.json", R"({"schema_version":1,"kind":"recipe"})");
  EXPECT_EQ(load_error(folder.write("x.json", npu("\"extends\":\"recipe.json\""))).code,
            "wrong-kind");
}

TEST(ConfigFile, RemovingWhatIsNotInheritedIsAnError) {
  const TemporaryFolder folder;
  folder.write("p.json", npu("\"array\":{\"rows\":4}"));
  const Diagnostic found =
      load_error(folder.write("x.json", npu("\"extends\":\"p.json\",\"array\":{\"row\":null}")));
  EXPECT_EQ(found.pointer, "/array/row");
  EXPECT_THAT(found.message, HasSubstr("did you mean \"rows\"?"));
}

TEST(ConfigFile, OverridesReplaceAddAndPointAtThemselves) {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "x.json", npu("\"clock\":1,\"array\":{\"rows\":4},\"layers\":[{\"n\":1},{\"n\":2}]"));
  const JsonValue document = load_config(path, "npu",
                                         overrides({"npu.array.rows=64", "npu.layers[1].n=7",
                                                    "npu.array.mode=fast", "npu.clock=[1,2]"}));
  EXPECT_EQ(dump_json(document, -1),
            R"({"schema_version":1,"kind":"npu","clock":[1,2],"array":{"rows":64,"mode":"fast"},)"
            R"("layers":[{"n":1},{"n":7}]})");
  EXPECT_EQ(*document.find("array")->find("rows")->origin().file, "--set npu.array.rows=64");
  EXPECT_EQ(document.find("clock")->items()[1].origin().line, 0);
}

TEST(ConfigFile, OverridesOfNothingAreErrorsAllAtOnce) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.json", npu("\"array\":{\"rows\":4},\"layers\":[1]"));
  try {
    load_config(
        path, "npu",
        overrides({"npu.aray.rows=1", "npu.layers[1]=1", "npu.array.rows.x=1", "npu.kind=x"}));
    FAIL() << "accepted";
  } catch (const InputError& error) {
    ASSERT_EQ(error.diagnostics().size(), 4U);
    EXPECT_EQ(error.diagnostics()[0].pointer, "/aray");
    EXPECT_THAT(error.diagnostics()[0].allowed, HasSubstr("array"));
    EXPECT_EQ(error.diagnostics()[1].allowed, "an index below 1");
    EXPECT_EQ(error.diagnostics()[2].file, "--set npu.array.rows.x=1");
    EXPECT_THAT(error.diagnostics()[3].message, HasSubstr("cannot be overridden"));
  }
}

TEST(ConfigFile, OverridesMakeTheObjectsThatAFileMayLeaveOut) {
  const TemporaryFolder folder;
  const std::string path = folder.write("x.json", npu("\"dram\":{}"));
  const JsonValue document = load_config(
      path, "npu", overrides({"npu.mapping.fused_attention=true", "npu.dram.timing.banks=8"}));
  EXPECT_EQ(dump_json(document, -1),
            R"({"schema_version":1,"kind":"npu","dram":{"timing":{"banks":8}},)"
            R"("mapping":{"fused_attention":true}})");
  EXPECT_EQ(*document.find("mapping")->origin().file, "--set npu.mapping.fused_attention=true");
  // Others stay mistakes, and so does what a list lacks.
  EXPECT_EQ(load_error(path, overrides({"npu.maping.search=quick"})).pointer, "/maping");
  EXPECT_EQ(load_error(path, overrides({"npu.mapping.pins[0].op=fc1"})).pointer, "/mapping/pins");
}

TEST(Override, IsSplitAtTheFirstEqualsSign) {
  const ParsedOverride parsed = parse_override("recipe.a.b=c=d");
  EXPECT_EQ(parsed.kind, "recipe");
  EXPECT_EQ(parsed.override.path, "a.b");
  EXPECT_EQ(parsed.override.value, "c=d");
}

TEST(Override, BadTextIsAnError) {
  for (const char* text : {"npu.a", "npu=1", "npu.=1", "npus.a=1", "=1", ""}) {
    EXPECT_EQ(first_error([&] { parse_override(text); }).code, "invalid-override") << text;
  }
  EXPECT_THAT(first_error([] { parse_override("npus.a=1"); }).message,
              HasSubstr("did you mean \"npu\"?"));
  const TemporaryFolder folder;
  const std::string path = folder.write("x.json", npu("\"a\":[1]"));
  for (const char* text :
       {"npu.a[x]=1", "npu.a[0=1", "npu.a[0]b=1", "npu.a..b=1", "npu.a.=1", "npu.a[-1]=1"}) {
    EXPECT_EQ(load_error(path, overrides({text})).code, "invalid-override") << text;
  }
}

TEST(ConfigFile, KindOfAFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(kind_of_config(folder.write("x.json", npu("")), {"npu", "recipe"}), "npu");
  EXPECT_THROW(kind_of_config(folder.write("y.json", "{}"), {"npu"}), InputError);
}

}  // namespace
}  // namespace npusim::base
