// SPDX-License-Identifier: Apache-2.0
#include "base/whole_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "base/error.h"
#include "tests/base/temporary_folder.h"

namespace npusim::base {
namespace {

using test::TemporaryFolder;

std::string error_code(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.diagnostics().front().code;
  }
  return "no error";
}

std::size_t files_in(const TemporaryFolder& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path()))
    ++count;
  return count;
}

TEST(WholeFile, ReadsBackWhatWasWritten) {
  const TemporaryFolder folder;
  std::string bytes(200000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  write_whole_file(folder.file("a"), bytes);
  EXPECT_EQ(read_whole_file(folder.file("a")), bytes);
  write_whole_file(folder.file("a"), "");
  EXPECT_EQ(read_whole_file(folder.file("a")), "");
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(WholeFile, ErrorsSayWhy) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_code([&] { read_whole_file(folder.file("none")); }), "missing-file");
  EXPECT_EQ(error_code([&] { read_whole_file(folder.path().string()); }), "unreadable-file");
  folder.write("ten", "0123456789");
  EXPECT_EQ(error_code([&] { read_whole_file(folder.file("ten"), 9); }), "too-large");
  EXPECT_EQ(read_whole_file(folder.file("ten"), 10), "0123456789");
  EXPECT_EQ(error_code([&] { write_whole_file(folder.file("no/such/folder/a"), "x"); }),
            "unwritable-file");
  EXPECT_EQ(error_code([&] { write_whole_file(folder.path().string(), "x"); }), "unwritable-file");
}

TEST(WholeFile, EndlessDevicesStopAtTheLimit) {
  EXPECT_EQ(error_code([] { read_whole_file("/dev/zero", 1 << 20); }), "too-large");
}

TEST(WholeFile, AFailedWriteLeavesTheOldFileAlone) {
  const TemporaryFolder folder;
  folder.write("a", "old");
  // A limit on file size stands in for a full disk: write() fails half-way.
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string code =
      error_code([&] { write_whole_file(folder.file("a"), std::string(100000, 'x')); });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(code, "unwritable-file");
  EXPECT_EQ(read_whole_file(folder.file("a")), "old");
  EXPECT_EQ(files_in(folder), 1U);
}

TEST(WholeFile, DevicesAreWrittenInPlace) {
  write_whole_file("/dev/null", "x");
  struct stat info {};
  ASSERT_EQ(::stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
  EXPECT_EQ(error_code([] { write_whole_file("/dev/full", "x"); }), "unwritable-file");
}

TEST(WholeFile, LinksStayLinks) {
  const TemporaryFolder folder;
  folder.write("target", "old");
  std::filesystem::create_symlink("target", folder.file("link"));
  write_whole_file(folder.file("link"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link")));
  EXPECT_EQ(read_whole_file(folder.file("target")), "new");
}

}  // namespace
}  // namespace npusim::base
