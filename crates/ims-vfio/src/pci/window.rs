// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A capability by which software that cannot reach a BAR does: it writes which BAR,
//! where and how much, and then accesses the data. Source: virtio 1.3, 4.1.4.9.

use super::Config;
use super::image::{get16, get32};
use super::layout::{header, window};

/// An access to config space that is one to a BAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which BAR.
    pub bar: u32,
    /// Where in it.
    pub offset: u64,
    /// How many of the access's bytes, from its first one on: 1, 2 or 4.
    pub length: usize,
}

impl Config {
    /// What an access of `length` bytes at `offset` is, if it is one to the data of the
    /// window and software has set that to something that may be: a natural width,
    /// naturally aligned, in a BAR that is there, and no more than the access has.
    pub fn window(&self, offset: u64, length: usize) -> Option<Window> {
        let at = self.places.window?;
        if offset != u64::from(at.checked_add(window::DATA)?) {
            return None;
        }
        let bytes = self.lock();
        let [bar, _] = get16(&bytes, at.checked_add(window::BAR)?).to_le_bytes();
        let inside = u64::from(get32(&bytes, at.checked_add(window::OFFSET)?));
        let wanted = u64::from(get32(&bytes, at.checked_add(window::LENGTH)?));
        drop(bytes);
        let wide = match wanted {
            1 => 1,
            2 => 2,
            4 => 4,
            _ => return None,
        };
        let bar = (bar < header::BARS).then_some(u32::from(bar))?;
        let end = inside.checked_add(wanted)?;
        let fits = wide <= length && inside.is_multiple_of(wanted) && end <= self.bar_size(bar);
        fits.then_some(Window {
            bar,
            offset: inside,
            length: wide,
        })
    }
}
