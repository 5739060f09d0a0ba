// The memory of this process, as the kernel counts it (/proc/self/status), and of the machine.
#pragma once

#include <cstdint>
#include <optional>

namespace minke {

// The largest resident set (VmHWM) since the start or the last reset, mapped files included; none where there is no /proc.
std::optional<int64_t> peak_resident_bytes();
// Starts counting anew from what is resident now. False where the kernel does not let us.
bool reset_peak_resident();

// MemAvailable of /proc/meminfo, not more than the control group leaves; 0: unknown.
int64_t available_memory_bytes();

}  // namespace minke
