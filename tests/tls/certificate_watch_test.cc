#include "tls/certificate_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "support/certificate.h"
#include "support/fake_clock.h"

namespace wsproxy::tls {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Certificate;

class CertificateWatchTest : public testing::Test {
 public:
  ~CertificateWatchTest() override { std::filesystem::remove_all(directory_); }

 protected:
  CertificateWatchTest() {
    std::filesystem::create_directory(directory_);
    put(cert_, first_.cert_pem);
    put(key_, first_.key_pem);
    watch_.emplace(clock_, std::vector{cert_, key_}, std::vector{ocsp_}, [this] {
      ++loads_;
      return TlsContext::load({.cert = cert_, .key = key_});
    });
  }
  // As certbot and editors do it: a new file takes the name of the old one.
  void put(const std::string& path, const std::string& text) {
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  bool renewed(Duration later = seconds(1)) {
    clock_.advance(later);
    return watch_->renewed() != nullptr;
  }

  test::FakeClock clock_;
  const std::string directory_ = testing::TempDir() + "wsproxy-watch-" + std::to_string(::getpid());
  const std::string cert_ = directory_ + "/cert.pem";
  const std::string key_ = directory_ + "/key.pem";
  const std::string ocsp_ = directory_ + "/ocsp.der";  // not there at first
  const Certificate first_;
  const Certificate second_;
  int loads_ = 0;
  std::optional<CertificateWatch> watch_;
};

TEST_F(CertificateWatchTest, LoadsNothingWhileNothingChanges) {
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(renewed());
  EXPECT_EQ(loads_, 0);
}

TEST_F(CertificateWatchTest, LoadsARenewedPairOnce) {
  put(cert_, second_.cert_pem);
  put(key_, second_.key_pem);
  EXPECT_TRUE(renewed());
  EXPECT_FALSE(renewed());
  EXPECT_EQ(loads_, 1);
}

TEST_F(CertificateWatchTest, LooksAtMostOnceASecond) {
  EXPECT_FALSE(renewed());
  put(cert_, second_.cert_pem + second_.key_pem);
  put(key_, second_.key_pem);
  EXPECT_FALSE(renewed(milliseconds(999)));
  EXPECT_TRUE(renewed(milliseconds(1)));
}

TEST_F(CertificateWatchTest, KeepsTheOldPairUntilBothFilesAreThere) {
  testing::internal::CaptureStderr();
  put(cert_, second_.cert_pem);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(renewed());
  EXPECT_EQ(loads_, 3) << "tried again every second";
  std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("do not belong together"));
  EXPECT_EQ(log.find("not in use"), log.rfind("not in use")) << "said once: " << log;
  put(key_, second_.key_pem);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(renewed());
  log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("certificate " + cert_ + " was renewed"));
}

TEST_F(CertificateWatchTest, SaysItAgainWhenTheFilesChangeForTheWorse) {
  testing::internal::CaptureStderr();
  put(cert_, "garbage");
  EXPECT_FALSE(renewed());
  put(cert_, second_.cert_pem);
  EXPECT_FALSE(renewed());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, testing::HasSubstr("there is no certificate in it"));
  EXPECT_THAT(log, testing::HasSubstr("do not belong together"));
}

TEST_F(CertificateWatchTest, GoingBackToTheOldPairIsNoChange) {
  const std::string aside = cert_ + ".aside";
  std::filesystem::rename(cert_, aside);
  EXPECT_FALSE(renewed()) << "away for a moment";
  put(cert_, "garbage");
  EXPECT_FALSE(renewed());
  EXPECT_EQ(loads_, 1);
}

TEST_F(CertificateWatchTest, NoticesAFileThatIsWrittenInPlace) {
  std::ofstream(cert_) << second_.cert_pem << std::string(10, '\n');
  std::ofstream(key_) << second_.key_pem << std::string(10, '\n');
  EXPECT_TRUE(renewed());
}

TEST_F(CertificateWatchTest, NoticesALinkThatPointsElsewhere) {
  const std::string live = directory_ + "/live";
  const std::string next = directory_ + "/next";
  std::filesystem::create_directory(next);
  put(next + "/cert.pem", second_.cert_pem);
  put(next + "/key.pem", second_.key_pem);
  std::filesystem::create_directory_symlink(directory_, live);
  CertificateWatch watch(clock_, {live + "/cert.pem", live + "/key.pem"}, {}, [&] {
    return TlsContext::load({.cert = live + "/cert.pem", .key = live + "/key.pem"});
  });
  std::filesystem::remove(live);
  std::filesystem::create_directory_symlink(next, live);
  EXPECT_NE(watch.renewed(), nullptr);
}

TEST_F(CertificateWatchTest, AnOptionalFileCountsWhenItComesAndNotWhenItGoes) {
  testing::internal::CaptureStderr();
  put(ocsp_, "one");
  EXPECT_TRUE(renewed());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("OCSP response " + ocsp_ + " was renewed"));
  put(ocsp_, "another");
  EXPECT_TRUE(renewed());
  std::filesystem::remove(ocsp_);
  EXPECT_FALSE(renewed());
  EXPECT_EQ(loads_, 2);
}

TEST_F(CertificateWatchTest, AnOptionalFileThatIsAwayHoldsUpNoCertificate) {
  put(ocsp_, "one");
  EXPECT_TRUE(renewed());
  std::filesystem::remove(ocsp_);
  put(cert_, second_.cert_pem);
  put(key_, second_.key_pem);
  EXPECT_TRUE(renewed());
  EXPECT_FALSE(renewed());
}

TEST_F(CertificateWatchTest, AFileThatBecomesAPipeIsNotOpened) {
  std::filesystem::remove(key_);
  ASSERT_EQ(::mkfifo(key_.c_str(), 0600), 0);
  EXPECT_FALSE(renewed());
  EXPECT_EQ(loads_, 0);
}

}  // namespace
}  // namespace wsproxy::tls
