//! What the system knows of this process.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of all threads, in the kernel's and our own code.
#[expect(clippy::cast_precision_loss, reason = "seconds since the start of a process")]
pub(super) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory it ever had, where the system tells: Linux does.
pub(super) fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_of_this_process() {
        assert!(cpu_seconds() > 0.0);
        assert!(peak_rss_bytes().unwrap() > 1 << 20);
    }
}
