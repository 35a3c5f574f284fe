// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a work queue is set up (WQCFG, 9.2.24).

use crate::client::Pasid;
use crate::limits::Limits;

/// Who may submit to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One submitter, known by its PASID or, without PASIDs, by having none.
    Dedicated {
        /// The submitter.
        owner: Option<Pasid>,
    },
    /// Any submitter that has a PASID.
    Shared,
}

/// How a queue is set up (WQCFG, 9.2.24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// The group whose engines serve it.
    pub group: u32,
    /// Who may submit.
    pub mode: Mode,
    /// Descriptors it holds before any is started; 0 for a queue not in use.
    pub size: u16,
    /// Descriptors a shared queue takes from limited portals, at most `size`.
    pub threshold: u16,
    /// 1 to 15; a queue's share of its group's engines.
    pub priority: u8,
    /// What its descriptors may ask for.
    pub limits: Limits,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            group: 0,
            mode: Mode::Dedicated { owner: None },
            size: 16,
            threshold: 16,
            priority: 1,
            limits: Limits::default(),
        }
    }
}
