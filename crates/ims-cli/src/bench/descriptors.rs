// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many descriptors this process has, and may have.

use super::Outcome;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process has open beside what is measured, with some to spare.
const SPARE: u64 = 128;

/// Raises the limit as far as it goes. `None` if `count` more descriptors may be
/// open then, else why not.
///
/// # Errors
/// What the operating system says.
pub(super) fn shortage(count: u64) -> Outcome<Option<String>> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised)?;
    let needed = count + SPARE;
    Ok(limit
        .maximum
        .filter(|maximum| *maximum < needed)
        .map(|maximum| {
            format!("{needed} open descriptors are needed, and {maximum} allowed (ulimit -Hn)")
        }))
}

/// How many there are.
///
/// # Errors
/// Without `/proc`.
pub(super) fn open() -> Outcome<usize> {
    // The one it is read by is among them each time.
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}
