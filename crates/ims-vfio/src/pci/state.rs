// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Config space in a snapshot.

use super::layout::power;
use super::{Config, Effects};

/// What config space held when it was saved. The bytes are those a guest reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigState(Vec<u8>);

/// Why a saved config space is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is of a function with more or less config space.
    #[error(
        "saved config space has {found} bytes, this function {expected}; restore into the kind of device that was saved"
    )]
    Size {
        /// What this function has.
        expected: usize,
        /// What was saved.
        found: usize,
    },
    /// A bit that nobody can change is different.
    #[error("saved config space is of another function: it differs at {offset:#x}")]
    Foreign {
        /// The first byte that differs.
        offset: usize,
    },
    /// The function was in a power state it does not have.
    #[error("saved config space is in a power state that the function does not have")]
    PowerState,
}

impl ConfigState {
    /// From bytes as [`as_bytes`](Self::as_bytes) gave them. They are checked when
    /// they are restored.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes to keep.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Config {
    /// What it holds now.
    pub fn save(&self) -> ConfigState {
        let mut bytes = self.lock().to_vec();
        bytes.resize(self.size, 0);
        ConfigState(bytes)
    }

    /// Takes the bits that can change from `state`; all others must be the ones
    /// there are. The effects are of going from what is there now to `state`, and
    /// never a reset.
    ///
    /// # Errors
    /// [`StateError`]; nothing has changed.
    pub fn restore(&self, state: &ConfigState) -> Result<Effects, StateError> {
        let mut bytes = self.lock();
        if self.size != state.0.len() {
            return Err(StateError::Size {
                expected: self.size,
                found: state.0.len(),
            });
        }
        let mut saved = state.0.iter().enumerate();
        if let Some((offset, _)) =
            saved.find(|(offset, byte)| self.image.foreign(*offset, **byte) != 0)
        {
            return Err(StateError::Foreign { offset });
        }
        let power_state = self.power_state(&state.0);
        if power_state != 0 && power_state != power::D3_HOT {
            return Err(StateError::PowerState);
        }
        for (to, from) in bytes.iter_mut().zip(&state.0) {
            *to = *from;
        }
        Ok(self.publish(&bytes))
    }
}
