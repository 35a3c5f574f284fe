// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The configuration, as bytes. Source: virtio 1.3, 5.2.4.

use super::options::BlockOptions;
use crate::layout::block::config;

/// All of it; it never changes.
pub(super) struct Configuration([u8; config::BYTES]);

/// Data segments of a request in a queue of `size`: all but header and status.
fn segments(size: u16) -> u32 {
    u32::from(size.saturating_sub(2).max(1))
}

impl Configuration {
    pub(super) fn new(sectors: u64, options: &BlockOptions) -> Self {
        let mut new = Self([0; config::BYTES]);
        new.put(config::CAPACITY, &sectors.to_le_bytes());
        new.put(config::SEG_MAX, &segments(options.queue_size).to_le_bytes());
        new.put(config::BLK_SIZE, &options.block_size.to_le_bytes());
        new.put(config::NUM_QUEUES, &options.queues.to_le_bytes());
        new
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        let bytes = self.0.iter_mut().skip(at);
        bytes.zip(value).for_each(|(byte, value)| *byte = *value);
    }

    /// Reads any part; zero beyond the end.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.iter().skip(from).chain(std::iter::repeat(&0));
        into.iter_mut()
            .zip(bytes)
            .for_each(|(byte, value)| *byte = *value);
    }
}
