// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which events go to which vectors, and these where.

pub use ims_virtio::layout::NO_VECTOR;
use thiserror::Error;

use crate::message::Message;

/// What a driver wants of its interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan<'a> {
    /// The message of each vector.
    pub messages: &'a [Message],
    /// The vector of each queue, or [`NO_VECTOR`].
    pub queues: &'a [u32],
    /// The vector of changes of configuration, or [`NO_VECTOR`].
    pub config: u32,
}

impl Plan<'_> {
    /// How many vectors.
    pub(crate) fn vectors(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap_or(u32::MAX)
    }

    /// Whether `vector` has a message, or is none.
    fn has(&self, vector: u32) -> bool {
        vector == NO_VECTOR || vector < self.vectors()
    }

    pub(crate) fn check(&self) -> Result<(), PlanError> {
        if self.messages.is_empty() || self.messages.len() > usize::from(u16::MAX) {
            return Err(PlanError::Vectors);
        }
        if self.queues.len() > usize::from(u16::MAX) {
            return Err(PlanError::Queues);
        }
        let mut all = self.queues.iter().chain([&self.config]);
        match all.find(|vector| !self.has(**vector)) {
            Some(vector) => Err(PlanError::NoMessage(*vector)),
            None => Ok(()),
        }
    }

    /// Whether it is the map of a device that maps by itself.
    pub(crate) fn is_fixed(&self) -> bool {
        self.config == 0
            && (1..)
                .zip(self.queues)
                .all(|(vector, queue)| vector == *queue)
    }
}

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// How many.
    #[error("a plan has 1 to 65535 vectors")]
    Vectors,
    /// How many.
    #[error("a plan has at most 65535 queues")]
    Queues,
    /// An event goes nowhere.
    #[error("vector {0} has no message: give it one, or use NO_VECTOR")]
    NoMessage(u32),
}
