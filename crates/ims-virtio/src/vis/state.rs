// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring what a driver has set up, as plain numbers. Gates are in its
//! memory, and go with that.

use ims::message::Message;
use ims::sink::MessageSink;

use super::area::{Area, Header};
use super::control::Vis;
use super::latch;
use crate::layout::vis::{Error, NO_VECTOR};
use crate::memory::Memory;
use crate::notifier::Event;

/// All of a store that is not fixed when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisState {
    /// The address registers.
    pub address: u64,
    /// The last command's error, as in the state register.
    pub error: u32,
    /// What has been latched, if it is enabled.
    pub area: Option<AreaState>,
}

/// What commands have latched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AreaState {
    /// Where the area is.
    pub address: u64,
    /// How it is laid out.
    pub header: Header,
    /// The message of each vector, zero for none.
    pub messages: Vec<Message>,
    /// The vector of each queue of the map.
    pub map: Vec<u32>,
    /// The vector of changes of configuration.
    pub config: u32,
    /// Vectors that have kept an interrupt while their gate could not be reached, in
    /// ascending order.
    pub kept: Vec<u32>,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// No store of this size can have such an area.
    #[error(
        "the saved area does not fit this device ({0:?}); restore into one with the vectors and queues of the saved"
    )]
    Area(Error),
    /// As many messages or map entries as the header says must be there.
    #[error("messages or map are not as many as the saved header says; the state is damaged")]
    Count,
    /// A vector's message can be none.
    #[error("vector {vector} has a message that no driver can have set; the state is damaged")]
    Message {
        /// Which one.
        vector: u32,
    },
    /// A queue's vector, or one that has kept an interrupt, is not in the area.
    #[error("vector {vector} is not in the saved area, or out of order; the state is damaged")]
    Vector {
        /// Which one.
        vector: u32,
    },
    /// There is no such error.
    #[error("error number {error} is none; the state is damaged")]
    Error {
        /// The number.
        error: u32,
    },
}

impl AreaState {
    fn check(&self, area: &Area) -> Result<(), RestoreError> {
        let length = |of: usize, count: u32| u32::try_from(of).is_ok_and(|of| of == count);
        if !length(self.messages.len(), area.header.vectors)
            || !length(self.map.len(), area.header.queues)
        {
            return Err(RestoreError::Count);
        }
        for (vector, message) in (0u32..).zip(&self.messages) {
            if latch::check(*message, 0).is_err() {
                return Err(RestoreError::Message { vector });
            }
        }
        let mapped = self.map.iter().chain([&self.config]);
        if let Some(&vector) = mapped.clone().find(|vector| !area.has(**vector)) {
            return Err(RestoreError::Vector { vector });
        }
        let mut next = 0;
        for &vector in &self.kept {
            if vector < next || vector >= area.header.vectors {
                return Err(RestoreError::Vector { vector });
            }
            next = vector.saturating_add(1);
        }
        Ok(())
    }
}

impl<M: Memory, K: MessageSink> Vis<M, K> {
    /// The state now. A raise that comes at the same time is in a gate, or has been
    /// sent: stop the device first, and save memory after.
    pub fn save(&self) -> VisState {
        let table = &self.port.sender.table;
        let area = self.area.map(|area| AreaState {
            address: area.address,
            header: area.header,
            messages: (0..area.header.vectors)
                .map(|vector| table.message(vector).unwrap_or_default())
                .collect(),
            map: (0..area.header.queues)
                .map(|queue| match u16::try_from(queue) {
                    Ok(queue) => table.vector(Event::Used(queue)).unwrap_or(NO_VECTOR),
                    Err(_) => NO_VECTOR,
                })
                .collect(),
            config: table.vector(Event::Config).unwrap_or(NO_VECTOR),
            kept: (0..area.header.vectors)
                .filter(|vector| table.slot(*vector).is_some_and(|slot| slot.is_pending()))
                .collect(),
        });
        VisState {
            address: self.address,
            error: self.state_error() as u32,
            area,
        }
    }

    /// Takes over a saved state, whatever this one was. Memory with its gates is there
    /// already: what is pending in it and not masked is sent before this returns.
    ///
    /// # Errors
    /// The state is none that this store can have; nothing changed.
    pub fn restore(&mut self, state: &VisState) -> Result<(), RestoreError> {
        let error = Error::from_value(state.error);
        let error = error.ok_or(RestoreError::Error { error: state.error })?;
        let area = match &state.area {
            Some(saved) => {
                let area = Area::check(saved.address, saved.header, self.limits)
                    .map_err(|failure| RestoreError::Area(failure.error))?;
                saved.check(&area)?;
                Some((area, saved))
            }
            None => None,
        };
        self.reset();
        self.address = state.address;
        if let Some((area, saved)) = area {
            for &vector in &saved.kept {
                if let Some(slot) = self.port.sender.table.slot(vector) {
                    // Closed, so it is kept.
                    let _ = slot.hold();
                }
            }
            self.start(area, &saved.messages, &saved.map, saved.config);
        }
        self.settle(error);
        Ok(())
    }
}
