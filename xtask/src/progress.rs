// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Progress: a bar on a terminal, plain lines in a pipe.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Shows how far a command is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Progress over `length` steps. A pipe gets no bar, only [`Self::say`].
    pub(crate) fn new(length: usize) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        let bar = ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX));
        if let Ok(style) = ProgressStyle::with_template(
            "{spinner} [{bar:24}] {pos}/{len} {elapsed_precise} {prefix}  {wide_msg:.dim}",
        ) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// Names the step under way.
    pub(crate) fn start(&self, name: &str) {
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("");
    }

    /// Shows, on a terminal only, the last line a step printed.
    pub(crate) fn note(&self, line: &str) {
        if !line.trim().is_empty() {
            self.bar.set_message(line.trim().to_owned());
        }
    }

    /// Prints a line that stays, on standard output.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| println!("{line}"));
    }

    /// The step is over.
    pub(crate) fn advance(&self) {
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
