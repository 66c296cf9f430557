#include "session/recording.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>

#include "support/builders.h"
#include "support/fake_clock.h"

namespace wsproxy::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// --- the format ---

std::string line(RecordKind kind, std::uint32_t time, Bytes payload) {
  std::string out;
  append_record(out, kind, time, payload);
  return out;
}

TEST(AppendRecord, MarksTheDirectionAndTheTime) {
  EXPECT_EQ(line(RecordKind::FromTarget, 0, as_bytes("RFB 003.008\n")), "'{0{RFB 003.008\\n',\n");
  EXPECT_EQ(line(RecordKind::FromClient, 4294967295, as_bytes("x")), "'}4294967295}x',\n");
}

TEST(AppendRecord, EscapesWhatAJavaScriptStringCannotHold) {
  EXPECT_EQ(line(RecordKind::FromTarget, 1, as_bytes("a'b\\c\"d\t\r\n{}")),
            "'{1{a\\'b\\\\c\"d\\t\\r\\n{}',\n");
  EXPECT_EQ(
      line(RecordKind::FromTarget, 1, test::bytes({0x00, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0xff})),
      "'{1{\\x00\\x1f ~\\x7f\\x80\\xff',\n");
}

// --- the recorder ---

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() : folder_(testing::TempDir() + "wsproxy-record-XXXXXX"), loop_(clock_) {
    EXPECT_NE(::mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/rec";
  }
  void TearDown() override {
    recorder_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start(std::function<Status()> after_fork = {}) {
    auto recorder = Recorder::start(loop_, path_, std::move(after_fork));
    ASSERT_TRUE(recorder) << recorder.error().message();
    recorder_ = std::move(*recorder);
  }
  std::unique_ptr<Recording> begin() {
    return recorder_->begin("[s1 peer]", [this] { ++wakes_; });
  }
  // The recorder waits for its writer, so afterwards all is in the files.
  void finish() { recorder_.reset(); }
  [[nodiscard]] std::string contents(int number) const {
    std::ifstream file(path_ + "." + std::to_string(number));
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
  }
  void until(const char* what, const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(10);
    while (!done()) {
      loop_.turn(milliseconds(5));
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << what;
    }
  }

  std::string folder_;
  std::string path_;
  test::FakeClock clock_;
  io::EventLoop loop_;
  std::unique_ptr<Recorder> recorder_;
  int wakes_ = 0;
};

TEST_F(RecorderTest, WritesBothDirectionsWithTheirTimes) {
  start();
  auto recording = begin();
  recording->from_target(as_bytes("RFB 003.008\n"));
  clock_.advance(milliseconds(12));
  recording->from_client(as_bytes("RFB 003.008\n"));
  clock_.advance(seconds(1));
  recording->from_target(as_bytes("\x01'"));
  recording.reset();
  finish();
  EXPECT_EQ(contents(1),
            "var VNC_frame_data = [\n"
            "'{0{RFB 003.008\\n',\n"
            "'}12}RFB 003.008\\n',\n"
            "'{1012{\\x01\\'',\n"
            "'EOF'];\n");
}

TEST_F(RecorderTest, KeepsRecordingsApart) {
  start();
  auto one = begin();
  auto two = begin();
  one->from_target(as_bytes("one"));
  two->from_target(as_bytes("two"));
  one.reset();
  two->from_client(as_bytes("more"));
  two.reset();
  finish();
  EXPECT_EQ(contents(1), "var VNC_frame_data = [\n'{0{one',\n'EOF'];\n");
  EXPECT_EQ(contents(2), "var VNC_frame_data = [\n'{0{two',\n'}0}more',\n'EOF'];\n");
}

TEST_F(RecorderTest, OverwritesNothingAndFollowsNoLink) {
  std::ofstream(path_ + ".1") << "precious";
  ASSERT_EQ(::symlink((folder_ + "/elsewhere").c_str(), (path_ + ".2").c_str()), 0);
  start();
  begin().reset();
  finish();
  EXPECT_EQ(contents(1), "precious");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/elsewhere"));
  EXPECT_EQ(contents(3), "var VNC_frame_data = [\n'EOF'];\n");
  struct stat info{};
  ASSERT_EQ(::stat((path_ + ".3").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RecorderTest, ABigPieceIsOneEntryUpTo64KiB) {
  start();
  auto recording = begin();
  const auto payload = test::pattern(kMaxRecord);
  recording->from_target(payload);
  recording.reset();
  finish();
  EXPECT_EQ(contents(1), std::string(kRecordingHead) + line(RecordKind::FromTarget, 0, payload) +
                             std::string(kRecordingTail));
}

TEST_F(RecorderTest, AWriterThatIsBehindTakesTheRoomAndGivesItBackWithoutLoss) {
  start();
  ::kill(recorder_->writer(), SIGSTOP);
  auto recording = begin();
  const auto payload = test::pattern(kMaxRecord);
  std::string expected(kRecordingHead);
  int sent = 0;
  for (; recording->has_room(); ++sent) {
    ASSERT_LT(sent, 100) << "there is room without end";
    recording->from_target(payload);
    expected += line(RecordKind::FromTarget, 0, payload);
  }
  EXPECT_GT(sent, 10);
  loop_.turn(milliseconds(1));
  EXPECT_EQ(wakes_, 0);
  ::kill(recorder_->writer(), SIGCONT);
  until("room", [&] { return wakes_ > 0; });
  EXPECT_TRUE(recording->has_room());
  recording.reset();
  finish();
  EXPECT_EQ(contents(1), expected + std::string(kRecordingTail));
}

TEST_F(RecorderTest, AFullDiskEndsTheRecordingAtAWholeLine) {
  // as a full disk does: only the writer has this limit
  start([] {
    const rlimit limit{1000, 1000};
    return ::setrlimit(RLIMIT_FSIZE, &limit) == 0 ? Status() : fail(Errc::Io, "limit", errno);
  });
  auto recording = begin();
  recording->from_target(as_bytes("short"));
  recording->from_target(test::pattern(5000));
  until("the failure", [&] {
    recording->from_target(as_bytes("after"));
    return contents(1).ends_with(kRecordingTail);
  });
  EXPECT_TRUE(recording->has_room());
  recording.reset();
  finish();
  EXPECT_EQ(contents(1), "var VNC_frame_data = [\n'{0{short',\n'EOF'];\n");
}

TEST_F(RecorderTest, AWriterThatDiesEndsRecordingsAndIsReplacedForTheNext) {
  start();
  auto recording = begin();
  recording->from_target(as_bytes("before"));
  until("the first file", [&] { return contents(1).ends_with("before',\n"); });
  const pid_t first = recorder_->writer();
  ::kill(first, SIGKILL);
  until("the wake-up", [&] { return wakes_ > 0; });
  recording->from_target(as_bytes("after"));
  EXPECT_TRUE(recording->has_room());
  auto next = begin();
  EXPECT_NE(recorder_->writer(), first);
  next->from_target(as_bytes("next"));
  next.reset();
  recording.reset();
  finish();
  EXPECT_EQ(contents(1), "var VNC_frame_data = [\n'{0{before',\n");
  EXPECT_EQ(contents(2), "var VNC_frame_data = [\n'{0{next',\n'EOF'];\n");
}

TEST_F(RecorderTest, AWakeUpMayEndTheRecording) {
  start();
  std::unique_ptr<Recording> recording;
  recording = recorder_->begin("[s1 peer]", [&] {
    recording.reset();
    ++wakes_;
  });
  ::kill(recorder_->writer(), SIGKILL);
  until("the wake-up", [&] { return wakes_ > 0; });
}

TEST_F(RecorderTest, SaysWhereItCannotWrite) {
  const auto nowhere = Recorder::start(loop_, folder_ + "/none/rec", {});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().message(),
            "cannot write to " + folder_ + "/none: no such file or directory");
  const auto nameless = Recorder::start(loop_, folder_ + "/", {});
  ASSERT_FALSE(nameless);
  EXPECT_EQ(nameless.error().message(), "'" + folder_ + "/' is no file name");
  const auto refused =
      Recorder::start(loop_, path_, [] { return Status(fail(Errc::Io, "privileges", EACCES)); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "cannot write to " + folder_ + ": permission denied");
}

}  // namespace
}  // namespace wsproxy::session
