// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A bar for composing that takes long; nothing in a pipe, nothing at once.

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long one waits without a bar.
const PATIENCE: Duration = Duration::from_secs(2);

/// One bar, which shows when patience is over; it is cleared when dropped.
pub(super) struct Progress {
    what: &'static str,
    length: u64,
    begun: Instant,
    bar: OnceCell<ProgressBar>,
}

impl Progress {
    pub(super) fn new(what: &'static str, length: usize) -> Self {
        Self {
            what,
            length: u64::try_from(length).unwrap_or(u64::MAX),
            begun: Instant::now(),
            bar: OnceCell::new(),
        }
    }

    pub(super) fn at(&self, position: usize) {
        if self.begun.elapsed() > PATIENCE && std::io::stderr().is_terminal() {
            let bar = self.bar.get_or_init(|| {
                let bar = ProgressBar::new(self.length).with_message(self.what);
                if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
                    bar.set_style(style);
                }
                bar
            });
            bar.set_position(u64::try_from(position).unwrap_or(u64::MAX));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}
