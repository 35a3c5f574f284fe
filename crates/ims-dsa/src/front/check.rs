// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Enable Device and Enable Queue refuse (9.2.13, codes 0x10 to 0x28), and
//! the configuration of the engines that is left.

use super::capabilities::ENGINES;
use super::configuration::{Words, quad, word};
use super::parameters::Parameters;
use crate::client::Pasid;
use crate::config::DeviceConfig;
use crate::layout::OperationSet;
use crate::layout::command::CommandError;
use crate::layout::tables::{
    GROUP_ENGINES, GROUP_FLAGS, GroupFlags, QueueLimitsWord, QueueModeWord, queue,
};
use crate::limits::Limits;
use crate::queue_config::{Mode, QueueConfig};

/// Engines of a group hold this many read buffers each, at least.
const READ_BUFFERS_PER_ENGINE: u32 = 4;

/// A group's members.
struct Group {
    queues: u128,
    engines: u64,
    flags: GroupFlags,
}

impl Group {
    fn new(words: &Words) -> Self {
        Self {
            queues: u128::from(quad(words, 0)) | u128::from(quad(words, 8)) << 64,
            engines: quad(words, GROUP_ENGINES),
            flags: GroupFlags::from_bits(quad(words, GROUP_FLAGS)),
        }
    }

    fn is_used(&self) -> bool {
        self.engines != 0
    }
}

/// Checks groups and sizes, as Enable Device does.
///
/// # Errors
/// 0x14 to 0x18.
pub(super) fn device(
    parameters: &Parameters,
    groups: &[Words],
    queues: &[Words],
    read_buffer_limit: u8,
) -> Result<DeviceConfig, CommandError> {
    let total: u64 = queues.iter().map(|words| u64::from(size(words))).sum();
    if total > parameters.queue_entries.into() {
        return Err(CommandError::TotalQueueSize);
    }
    let groups: Vec<Group> = groups.iter().map(Group::new).collect();
    members(&groups, queues)?;
    if parameters.read_buffers > 0 {
        read_buffers(&groups, parameters.read_buffers, read_buffer_limit)?;
    }
    let group_of = |is_member: &dyn Fn(&Group) -> bool| {
        (0u32..)
            .zip(&groups)
            .find_map(|(number, group)| is_member(group).then_some(number))
    };
    let engines = (0..parameters.engines)
        .map(|engine| group_of(&|group| group.engines >> engine & 1 != 0))
        .collect();
    let queues = (0u32..)
        .zip(queues)
        .map(|(number, words)| {
            let group = group_of(&|group| group.queues >> number & 1 != 0);
            QueueConfig {
                group: group.unwrap_or(0),
                size: size(words),
                threshold: size(words),
                ..QueueConfig::default()
            }
        })
        .collect();
    Ok(DeviceConfig {
        capabilities: ENGINES,
        engines,
        queues,
    })
}

/// Which queue and which engine is where.
fn members(groups: &[Group], queues: &[Words]) -> Result<(), CommandError> {
    let (mut all_queues, mut all_engines) = (0, 0);
    for group in groups {
        let twice = group.queues & all_queues != 0 || group.engines & all_engines != 0;
        let incomplete = (group.queues == 0) != (group.engines == 0);
        if twice || incomplete {
            return Err(CommandError::Groups);
        }
        all_queues |= group.queues;
        all_engines |= group.engines;
    }
    let misplaced = (0u32..)
        .zip(queues)
        .any(|(number, words)| (all_queues >> number & 1 != 0) != (size(words) != 0));
    if misplaced {
        return Err(CommandError::Groups);
    }
    Ok(())
}

fn read_buffers(groups: &[Group], total: u8, limit: u8) -> Result<(), CommandError> {
    let total = u32::from(total);
    let used = || groups.iter().filter(|group| group.is_used());
    let limited = used().any(|group| group.flags.read_buffer_limit());
    if limited && !(1..=total).contains(&limit.into()) {
        return Err(CommandError::ReadBufferLimit);
    }
    let reserved: u32 = used()
        .map(|group| u32::from(group.flags.read_buffers_reserved()))
        .sum();
    if reserved > total {
        return Err(CommandError::ReadBuffersReserved);
    }
    let fits = |group: &Group| {
        let own = u32::from(group.flags.read_buffers_reserved());
        let need = group.engines.count_ones() * READ_BUFFERS_PER_ENGINE;
        let most = total - reserved + own;
        let allowed = u32::from(group.flags.read_buffers_allowed());
        (own.max(need.min(most))..=most).contains(&allowed)
    };
    if used().all(fits) {
        Ok(())
    } else {
        Err(CommandError::ReadBuffersAllowed)
    }
}

fn size(words: &Words) -> u16 {
    u16::try_from(word(words, queue::SIZE)).unwrap_or(u16::MAX)
}

/// Checks one queue, as Enable Queue does. `group` is where it is.
///
/// # Errors
/// 0x22 to 0x28.
pub(super) fn queue(
    parameters: &Parameters,
    words: &Words,
    group: u32,
) -> Result<QueueConfig, CommandError> {
    let size = size(words);
    if size == 0 {
        return Err(CommandError::QueueSize);
    }
    let mode = QueueModeWord::from_bits(word(words, queue::MODE));
    if mode.priority() == 0 {
        return Err(CommandError::QueuePriority);
    }
    let threshold = u16::try_from(word(words, queue::THRESHOLD)).unwrap_or(0);
    let shared = !mode.dedicated();
    if shared && !(parameters.pasids && (1..=size).contains(&threshold)) {
        return Err(CommandError::QueueMode);
    }
    if mode.block_on_fault() && !parameters.block_on_fault {
        return Err(CommandError::QueueBlockOnFault);
    }
    if mode.pasid_enable() && !parameters.pasids || shared && !mode.pasid_enable() {
        return Err(CommandError::QueuePasid);
    }
    let limits = QueueLimitsWord::from_bits(word(words, queue::LIMITS));
    if limits.max_batch_shift() > parameters.max_batch_shift {
        return Err(CommandError::QueueBatch);
    }
    if limits.max_transfer_shift() > parameters.max_transfer_shift {
        return Err(CommandError::QueueTransfer);
    }
    let owner = mode
        .pasid_enable()
        .then(|| Pasid::new(mode.pasid()))
        .flatten();
    Ok(QueueConfig {
        group,
        mode: if shared {
            Mode::Shared
        } else {
            Mode::Dedicated { owner }
        },
        size,
        threshold: if shared { threshold } else { size },
        priority: mode.priority(),
        limits: Limits {
            max_transfer_shift: limits.max_transfer_shift(),
            max_batch_shift: limits.max_batch_shift(),
            operations: operations(parameters, words),
            block_on_fault: mode.block_on_fault(),
        },
    })
}

/// Its operations: those WQCFG names, where it can name them.
fn operations(parameters: &Parameters, words: &Words) -> OperationSet {
    let announced = parameters.operations.bits();
    let named = if parameters.wide_queue_config {
        quad(words, queue::OPERATIONS)
    } else {
        announced
    };
    OperationSet::from_bits(announced & named)
}
