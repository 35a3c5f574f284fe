// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How far a benchmark is: a bar on a terminal, nothing in a pipe.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, if that is a terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(parts: u64) -> Self {
        let bar = ProgressBar::new(parts);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// One more part begins.
    pub(super) fn start(&self, part: &str) {
        self.0.set_message(part.to_owned());
    }

    /// It is done.
    pub(super) fn advance(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
