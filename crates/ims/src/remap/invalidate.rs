// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Telling whoever caches entries that some have changed.

/// Makes an entry's old value unused once it has been rewritten.
///
/// Hardware caches entries: there this queues an interrupt entry cache
/// invalidation and waits for it (VT-d 6.5.2). The software unit
/// caches nothing.
pub trait Invalidate {
    /// Returns when nobody uses old values of `count` entries from `first` on.
    ///
    /// # Errors
    /// What hardware reported; old values may still be in use then.
    fn invalidate(&mut self, first: u32, count: u32) -> Result<(), InvalidateError>;
}

/// Why an invalidation failed (VT-d chapter 11, FSTS_REG).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidateError {
    /// The command was not completed in time.
    #[error("invalidation timed out; repeat it, or reset the unit")]
    Timeout,
    /// IQE: the unit stopped at a command it could not take.
    #[error("invalidation queue error; clear it, then repeat the invalidation")]
    Queue,
    /// ICE: a completion made no sense.
    #[error("invalidation completion error; clear it, then repeat the invalidation")]
    Completion,
}

/// Nobody caches entries: the software unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoInvalidate;

impl Invalidate for NoInvalidate {
    #[inline]
    fn invalidate(&mut self, _first: u32, _count: u32) -> Result<(), InvalidateError> {
        Ok(())
    }
}
