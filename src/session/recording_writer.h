// The process that writes recordings, and what the daemon and it say to each other. Writing to a file can
// block for as long as its disk or file server likes, so the event loop leaves it to somebody else.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace wsproxy::session {

enum class RecordKind : std::uint8_t { Begin, FromTarget, FromClient, End };

/// To the writer, with `size` bytes of payload behind it.
struct RecordHeader {
  std::uint32_t recording = 0;
  std::uint32_t milliseconds = 0;  ///< since the recording began
  std::uint32_t size = 0;
  RecordKind kind = RecordKind::Begin;
};

/// From the writer: once for itself, as soon as it is ready (recording 0), then for every recording that
/// has its file, and for every one that has ended early.
struct RecordReply {
  std::uint32_t recording = 0;
  std::uint32_t number = 0;  ///< behind the file's name
  std::int32_t error = 0;    ///< errno; 0: it has its file
};

/// The largest payload of one message.
constexpr std::size_t kMaxRecord = std::size_t{64} * 1024;

constexpr std::string_view kRecordingHead = "var VNC_frame_data = [\n";
constexpr std::string_view kRecordingTail = "'EOF'];\n";

/// Appends one line of a recording, as websockify writes it and noVNC's player reads it: the direction and
/// the time, then the bytes as a JavaScript string in single quotes: '{12{RFB 003.008\n',
void append_record(std::string& out, RecordKind kind, std::uint32_t milliseconds, Bytes payload);

/// The writer's life: takes messages from `socket` until its peer closes it, and ends every recording that
/// was not ended. Each goes to a file `name`.N of `directory` (a descriptor), mode 0600, that did not exist
/// before; N counts up from 1.
///
/// A file that cannot be written to the end is cut back to its last whole line and ended in good order if
/// that goes; its recording is then dropped.
[[noreturn]] void run_recording_writer(int socket, int directory, const std::string& name,
                                       const std::function<Status()>& after_fork);

}  // namespace wsproxy::session
