// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a device is put together, checked once before it exists.

use crate::arbiter::PRIORITIES;
use crate::limits::Capabilities;
use crate::queue_config::{Mode, QueueConfig};

/// The largest shift each limit's register field allows (WQCFG +12: 4:0, 8:5).
const MAX_TRANSFER_SHIFT: u8 = 31;
const MAX_BATCH_SHIFT: u8 = 15;

/// A device: which engines and queues it has and how they are grouped.
#[derive(Debug, Clone, Default)]
pub struct DeviceConfig {
    /// What the whole device can do.
    pub capabilities: Capabilities,
    /// For each engine, by number, its group; `None` leaves it unused.
    pub engines: Vec<Option<u32>>,
    /// The work queues, by number. One of size 0 is not in use.
    pub queues: Vec<QueueConfig>,
}

/// Why a device cannot be put together like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Its descriptors would never be executed.
    #[error("work queue {queue} is in group {group}, which has no engine; add one or set size 0")]
    NoEngine {
        /// The queue.
        queue: u32,
        /// Its group.
        group: u32,
    },
    /// A priority is not 1 to 15.
    #[error("work queue {queue}: priority {priority} is not 1 to 15")]
    Priority {
        /// The queue.
        queue: u32,
        /// What was asked for.
        priority: u8,
    },
    /// A shared queue's threshold is 0 or over its size.
    #[error("work queue {queue}: threshold must be 1 to the queue's size")]
    Threshold {
        /// The queue.
        queue: u32,
    },
    /// A limit's shift does not fit its field.
    #[error("work queue {queue}: largest transfer is 2^31 bytes, largest batch 2^15 descriptors")]
    Limits {
        /// The queue.
        queue: u32,
    },
    /// A queue is added that holds nothing.
    #[error("work queue {queue}: size 0; give it room for a descriptor at least")]
    Size {
        /// The queue.
        queue: u32,
    },
    /// There are more queues or engines than numbers for them.
    #[error("too many queues or engines; their numbers have 32 bits")]
    TooMany,
}

impl DeviceConfig {
    /// Checks everything (5.1, 5.2).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fits = |length: usize| u32::try_from(length).is_ok();
        if !fits(self.queues.len()) || !fits(self.engines.len()) {
            return Err(ConfigError::TooMany);
        }
        for (queue, config) in (0..).zip(&self.queues) {
            if config.size == 0 {
                continue;
            }
            if !self.engines.contains(&Some(config.group)) {
                let group = config.group;
                return Err(ConfigError::NoEngine { queue, group });
            }
            check_queue(queue, config)?;
        }
        Ok(())
    }
}

/// Checks what concerns one queue alone.
pub(crate) fn check_queue(queue: u32, config: &QueueConfig) -> Result<(), ConfigError> {
    let priority = config.priority;
    if !PRIORITIES.contains(&priority) {
        return Err(ConfigError::Priority { queue, priority });
    }
    let threshold_fits = (1..=config.size).contains(&config.threshold);
    if config.mode == Mode::Shared && !threshold_fits {
        return Err(ConfigError::Threshold { queue });
    }
    let limits = config.limits;
    if limits.max_transfer_shift > MAX_TRANSFER_SHIFT || limits.max_batch_shift > MAX_BATCH_SHIFT {
        return Err(ConfigError::Limits { queue });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn with(queue: QueueConfig) -> Result<(), ConfigError> {
        DeviceConfig {
            engines: vec![Some(0)],
            queues: vec![queue],
            ..Default::default()
        }
        .check()
    }

    #[test]
    fn what_could_not_work_is_refused() {
        let good = QueueConfig::default();
        assert_eq!(with(good), Ok(()));
        let no_engine = QueueConfig { group: 1, ..good };
        assert_eq!(
            with(no_engine),
            Err(ConfigError::NoEngine { queue: 0, group: 1 })
        );
        for priority in [0, 16] {
            let queue = QueueConfig { priority, ..good };
            assert_eq!(
                with(queue),
                Err(ConfigError::Priority { queue: 0, priority })
            );
        }
        for threshold in [0, 17] {
            let queue = QueueConfig {
                mode: Mode::Shared,
                threshold,
                ..good
            };
            assert_eq!(with(queue), Err(ConfigError::Threshold { queue: 0 }));
        }
        let limits = Limits {
            max_transfer_shift: 32,
            ..Limits::default()
        };
        assert_eq!(
            with(QueueConfig { limits, ..good }),
            Err(ConfigError::Limits { queue: 0 })
        );
    }

    #[test]
    fn a_queue_of_size_zero_needs_nothing() {
        let unused = QueueConfig {
            size: 0,
            group: 9,
            priority: 0,
            ..QueueConfig::default()
        };
        assert_eq!(with(unused), Ok(()));
    }
}
