#include "base/log_format.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace wsproxy::log {
namespace {

using std::chrono::system_clock;

// 2026-01-31T12:00:00.005Z
constexpr system_clock::time_point kTime{std::chrono::milliseconds(1769860800005)};

Record record(std::string_view text, std::span<const Field> fields = {}) {
  return {Level::Info, text, kTime, fields};
}

TEST(LogLine, TextHasTimeLevelAndMessage) {
  EXPECT_EQ(line_of(Format::Text, record("ready")), "2026-01-31T12:00:00.005Z info ready\n");
}

TEST(LogLine, TextLeavesFieldsOut) {
  const std::array fields = {Field{"client", "10.0.0.7"}};
  EXPECT_EQ(line_of(Format::Text, record("open", fields)), "2026-01-31T12:00:00.005Z info open\n");
}

TEST(LogLine, PriorityTakesThePlaceOfTimeAndLevel) {
  EXPECT_EQ(line_of(Format::Priority, {Level::Error, "a", kTime, {}}), "<3>a\n");
  EXPECT_EQ(line_of(Format::Priority, {Level::Warning, "b", kTime, {}}), "<4>b\n");
  EXPECT_EQ(line_of(Format::Priority, {Level::Info, "c", kTime, {}}), "<6>c\n");
  EXPECT_EQ(line_of(Format::Priority, {Level::Debug, "d", kTime, {}}), "<7>d\n");
}

TEST(LogLine, JsonHasTheFieldsAsMembers) {
  const std::array fields = {Field{"session", std::uint64_t{7}}, Field{"client", "10.0.0.7:51"},
                             Field{"duration", 1.5}};
  EXPECT_EQ(line_of(Format::Json, record("said \"hi\"", fields)),
            R"({"time":"2026-01-31T12:00:00.005Z","level":"info","message":"said \"hi\"",)"
            R"("session":7,"client":"10.0.0.7:51","duration":1.500})"
            "\n");
}

TEST(LogLine, JsonOfTheLongestRecordFitsIntoAPipeAtOnceAndKeepsItsFields) {
  const std::string text(kMaxText, '\x01');
  const std::string value(10'000, '\xff');
  const std::array fields = {Field{"client", value}, Field{"session", std::uint64_t{7}}};
  const std::string line = line_of(Format::Json, record(text, fields));
  EXPECT_LE(line.size(), 4096U);
  EXPECT_TRUE(line.ends_with(",\"session\":7}\n")) << line;
  EXPECT_NE(line.find(R"(u0001",")"), std::string::npos) << "the message ends at a whole escape";
}

TEST(LogLine, JsonLeavesOutAFieldThatFindsNoRoom) {
  const std::string value(kMaxField, '\x01');  // six times as long when escaped
  const std::array fields = {Field{"one", value}, Field{"two", value}};
  const std::string line = line_of(Format::Json, record("text", fields));
  EXPECT_NE(line.find("\"one\""), std::string::npos);
  EXPECT_EQ(line.find("\"two\""), std::string::npos);
  EXPECT_NE(line.find("\"message\":\"text\""), std::string::npos);
  EXPECT_TRUE(line.ends_with("}\n"));
}

TEST(LogLine, NoFormatLetsALineEndThrough) {
  const std::string text = "a\nb\r\x1b[31m\x7f\xc2\x85";
  const std::array fields = {Field{"path", text}};
  for (const Format format : {Format::Text, Format::Json, Format::Priority}) {
    const std::string line = line_of(format, record(text, fields));
    for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
    EXPECT_EQ(line.back(), '\n');
  }
}

TEST(JsonString, EscapesAsRfc8259WantsIt) {
  EXPECT_EQ(json_string(""), "\"\"");
  EXPECT_EQ(json_string("a/b"), "\"a/b\"");
  EXPECT_EQ(json_string("\"\\\n\r\t"), R"("\"\\\n\r\t")");
  EXPECT_EQ(json_string(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
}

TEST(JsonString, CharactersBeyondAsciiAreTheirCodeUnits) {
  EXPECT_EQ(json_string("\xc3\xa9"), R"("\u00e9")");
  EXPECT_EQ(json_string("\xe2\x82\xac"), R"("\u20ac")");
  EXPECT_EQ(json_string("\xf0\x9f\x98\x80"), R"("\ud83d\ude00")");
}

TEST(JsonString, BytesThatAreNotUtf8StayReadable) {
  EXPECT_EQ(json_string("\xff"), R"("\\xff")");
  EXPECT_EQ(json_string("\xc3"), R"("\\xc3")");
  EXPECT_EQ(json_string("\xc0\xaf"), R"("\\xc0\\xaf")");
  EXPECT_EQ(json_string("\xed\xa0\x80"), R"("\\xed\\xa0\\x80")");
}

TEST(JsonString, IsCutBetweenCharacters) {
  EXPECT_EQ(json_string("abcdef", 5), "\"abc\"");
  EXPECT_EQ(json_string("ab\xc3\xa9", 9), "\"ab\"");
  EXPECT_EQ(json_string("ab\xc3\xa9", 10), R"("ab\u00e9")");
}

TEST(PrintableUtf8, KeepsCharactersAndEscapesControlsAndBrokenBytes) {
  EXPECT_EQ(printable_utf8("caf\xc3\xa9 \xf0\x9f\x98\x80 \"\\"),
            "caf\xc3\xa9 \xf0\x9f\x98\x80 \"\\");
  EXPECT_EQ(printable_utf8("a\n\x7f"), "a\\x0a\\x7f");
  EXPECT_EQ(printable_utf8("\xc2\x9b"
                           "31m"),
            "\\xc2\\x9b31m");  // CSI in eight bits
  EXPECT_EQ(printable_utf8("\xc2\xa0"), "\xc2\xa0");
  EXPECT_EQ(printable_utf8("\xff\xc3"), "\\xff\\xc3");
}

TEST(ValueText, CutsTextAndCountsSecondsInThousandths) {
  EXPECT_EQ(value_text({"n", std::uint64_t{18446744073709551615U}}), "18446744073709551615");
  EXPECT_EQ(value_text({"n", 0.0005}), "0.001");
  const std::string longer(600, 'x');
  EXPECT_EQ(value_text({"n", longer}), std::string(kMaxField, 'x'));
}

}  // namespace
}  // namespace wsproxy::log
