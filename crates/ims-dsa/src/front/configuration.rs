// SPDX-License-Identifier: Apache-2.0 OR MIT
//! GRPCFG and WQCFG (9.2.23, 9.2.24) as memory: what they hold and which bits
//! software may write when. What it means is checked when it is enabled.

use super::configured::Configured;
use super::parameters::Parameters;
use crate::layout::tables::{
    GROUP_ENGINES, GROUP_FLAGS, GroupFlags, QueueLimitsWord, QueueModeWord, queue,
};

/// 64 bytes, as words.
pub(super) type Words = [u32; 16];

/// `old` with the bits of `mask` from `value`.
pub(super) const fn merge(old: u32, value: u32, mask: u32) -> u32 {
    old & !mask | value & mask
}

/// The words of all groups and queues. A queue's state word is not among them: it
/// is made up when it is read.
#[derive(Debug)]
pub(super) struct Configuration {
    groups: Vec<Words>,
    queues: Vec<Words>,
    group_default: Words,
    queue_default: Words,
    /// The bits of a group that exist.
    group_mask: Words,
    /// The bits of a queue that software may write while it is disabled.
    queue_mask: Words,
    configurable: bool,
}

/// Where the device may be configured and now is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disabled {
    /// The device is disabled.
    pub(super) device: bool,
    /// The queue is.
    pub(super) queue: bool,
}

impl Configuration {
    pub(super) fn new(parameters: &Parameters, configured: Option<&Configured>) -> Self {
        let (group_default, queue_default) = match configured {
            Some(configured) => (
                found_group(parameters, configured),
                found_queue(parameters, configured),
            ),
            None => (group_after_reset(parameters), queue_after_reset(parameters)),
        };
        Self {
            groups: vec![group_default; parameters.groups.into()],
            queues: vec![queue_default; parameters.queues.into()],
            group_default,
            queue_default,
            group_mask: group_mask(parameters),
            queue_mask: queue_mask(parameters),
            configurable: parameters.configurable,
        }
    }

    /// As after power-on.
    pub(super) fn reset(&mut self) {
        self.groups.fill(self.group_default);
        self.queues.fill(self.queue_default);
    }

    /// Reset Queue: as after power-on, but for its size, which may only change while
    /// the device is disabled.
    pub(super) fn reset_queue(&mut self, number: u8) {
        let default = self.queue_default;
        if let Some(words) = self.queues.get_mut(usize::from(number)) {
            let size = word(words, queue::SIZE);
            *words = default;
            set_word(words, queue::SIZE, size);
        }
    }

    /// All groups.
    pub(super) fn groups(&self) -> &[Words] {
        &self.groups
    }

    /// All queues.
    pub(super) fn queues(&self) -> &[Words] {
        &self.queues
    }

    /// The word at `offset` bytes of group `number`; 0 if there is none.
    pub(super) fn group_word(&self, number: u64, offset: u64) -> u32 {
        find(&self.groups, number).map_or(0, |words| word(words, offset))
    }

    /// The word at `offset` bytes of queue `number`; 0 if there is none.
    pub(super) fn queue_word(&self, number: u64, offset: u64) -> u32 {
        find(&self.queues, number).map_or(0, |words| word(words, offset))
    }

    /// A write to group `number`: only while the device is disabled.
    pub(super) fn write_group(
        &mut self,
        number: u64,
        offset: u64,
        (value, mask): (u32, u32),
        disabled: bool,
    ) {
        let mask = mask & word(&self.group_mask, offset);
        if self.configurable && disabled {
            write(&mut self.groups, number, offset, value, mask);
        }
    }

    /// A write to queue `number`: while it is disabled, and its size only while the
    /// device is. Where nothing can be configured, the submitter still can.
    pub(super) fn write_queue(
        &mut self,
        number: u64,
        offset: u64,
        (value, mask): (u32, u32),
        disabled: Disabled,
    ) {
        let writable = disabled.queue && (offset != queue::SIZE || disabled.device);
        if writable {
            let mask = mask & word(&self.queue_mask, offset);
            write(&mut self.queues, number, offset, value, mask);
        }
    }
}

fn find(all: &[Words], number: u64) -> Option<&Words> {
    all.get(usize::try_from(number).ok()?)
}

/// The word at `offset` bytes.
pub(super) fn word(words: &Words, offset: u64) -> u32 {
    let index = usize::try_from(offset / 4).ok();
    index.and_then(|at| words.get(at)).copied().unwrap_or(0)
}

/// The 8 bytes at `offset`.
pub(super) fn quad(words: &Words, offset: u64) -> u64 {
    u64::from(word(words, offset)) | u64::from(word(words, offset + 4)) << 32
}

fn set_word(words: &mut Words, offset: u64, value: u32) {
    let index = usize::try_from(offset / 4).ok();
    if let Some(word) = index.and_then(|at| words.get_mut(at)) {
        *word = value;
    }
}

fn set_quad(words: &mut Words, offset: u64, value: u64) {
    let [a, b, c, d, rest @ ..] = value.to_le_bytes();
    set_word(words, offset, u32::from_le_bytes([a, b, c, d]));
    set_word(words, offset + 4, u32::from_le_bytes(rest));
}

fn write(all: &mut [Words], number: u64, offset: u64, value: u32, mask: u32) {
    let index = usize::try_from(number).ok();
    if let Some(words) = index.and_then(|at| all.get_mut(at)) {
        let new = merge(word(words, offset), value, mask);
        set_word(words, offset, new);
    }
}

/// The first `count` of 64 bits.
const fn ones(count: u8) -> u64 {
    match u64::MAX.checked_shl(count as u32) {
        Some(rest) => !rest,
        None => u64::MAX,
    }
}

fn group_mask(parameters: &Parameters) -> Words {
    let mut mask = Words::default();
    set_quad(&mut mask, 0, ones(parameters.queues.min(64)));
    set_quad(&mut mask, 8, ones(parameters.queues.saturating_sub(64)));
    set_quad(&mut mask, GROUP_ENGINES, ones(parameters.engines));
    let classes = GroupFlags::new().with_class_a(7).with_class_b(7);
    let flags = if parameters.read_buffers > 0 {
        classes
            .with_read_buffer_limit(true)
            .with_read_buffers_reserved(0xff)
            .with_read_buffers_allowed(0xff)
    } else {
        classes
    };
    set_quad(&mut mask, GROUP_FLAGS, flags.into_bits());
    mask
}

fn queue_mask(parameters: &Parameters) -> Words {
    let submitter = QueueModeWord::new()
        .with_pasid(0xf_ffff)
        .with_pasid_enable(true)
        .with_privileged(true);
    let mut mask = Words::default();
    if parameters.configurable {
        let mode = submitter
            .with_dedicated(true)
            .with_block_on_fault(true)
            .with_priority(0xf);
        let limits = QueueLimitsWord::new()
            .with_max_transfer_shift(0x1f)
            .with_max_batch_shift(0xf);
        set_word(&mut mask, queue::SIZE, 0xffff);
        set_word(&mut mask, queue::THRESHOLD, 0xffff);
        set_word(&mut mask, queue::MODE, mode.into_bits());
        set_word(&mut mask, queue::LIMITS, limits.into_bits());
        if parameters.wide_queue_config {
            let operations = parameters.operations.bits();
            set_quad(&mut mask, queue::OPERATIONS, operations);
        }
    } else {
        set_word(&mut mask, queue::MODE, submitter.into_bits());
    }
    mask
}

/// A group may use all read buffers, and has nothing yet.
fn group_after_reset(parameters: &Parameters) -> Words {
    let flags = GroupFlags::new().with_read_buffers_allowed(parameters.read_buffers);
    let mut words = Words::default();
    set_quad(&mut words, GROUP_FLAGS, flags.into_bits());
    words
}

/// A queue may execute everything, and has nothing yet.
fn queue_after_reset(parameters: &Parameters) -> Words {
    let mut words = Words::default();
    if parameters.wide_queue_config {
        set_quad(&mut words, queue::OPERATIONS, parameters.operations.bits());
    }
    words
}

fn found_group(parameters: &Parameters, configured: &Configured) -> Words {
    let mut words = group_after_reset(parameters);
    set_quad(&mut words, 0, 1);
    set_quad(&mut words, GROUP_ENGINES, ones(configured.engines));
    words
}

fn found_queue(parameters: &Parameters, configured: &Configured) -> Words {
    let mode = QueueModeWord::new()
        .with_dedicated(true)
        .with_block_on_fault(configured.block_on_fault)
        .with_priority(configured.priority);
    let limits = QueueLimitsWord::new()
        .with_max_transfer_shift(parameters.max_transfer_shift)
        .with_max_batch_shift(parameters.max_batch_shift);
    let mut words = queue_after_reset(parameters);
    let size = configured.queue_size.into();
    set_word(&mut words, queue::SIZE, size);
    set_word(&mut words, queue::THRESHOLD, size);
    set_word(&mut words, queue::MODE, mode.into_bits());
    set_word(&mut words, queue::LIMITS, limits.into_bits());
    words
}
