// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What stands behind an IMS-backed vector.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use ims::store::Cookie;
use ims::vector::CpuId;
use ims_host::IrqCounts;
use rustix::io::Errno;

use super::wire::Wire;

/// Gives interrupts of the host to IMS-backed vectors.
///
/// # Concurrency
/// Called under the lock of the device's control half. It must not call back
/// into the device's [`Irqs`](super::Irqs), except that the signal may be given
/// at any time, from any thread.
pub trait Backing: Send + Sync {
    /// Allocates an interrupt of the host which calls [`Signal::give`] each time
    /// it is handled. `cookie` is the vector's, `None` is the device's default.
    ///
    /// # Errors
    /// [`BackingError`]; nothing is allocated then.
    fn alloc(
        &self,
        cookie: Option<Cookie>,
        signal: Signal,
    ) -> Result<Box<dyn Backed>, BackingError>;
}

/// An allocated interrupt of the host. Dropping it frees it.
pub trait Backed: Send {
    /// Its index: what the device raises it by.
    fn index(&self) -> u32;

    /// Whether it is kept pending.
    fn is_pending(&self) -> bool;

    /// Masks it, or unmasks it and delivers what was kept, once. Harmless if it is
    /// so already.
    fn set_masked(&self, masked: bool);

    /// The CPU that takes it, and its vector there; `None` if nobody knows.
    fn target(&self) -> Option<(CpuId, u8)> {
        None
    }

    /// What happened to it so far.
    fn counts(&self) -> IrqCounts {
        IrqCounts::default()
    }

    /// Frees it, and says whether something kept pending was dropped.
    fn free(self: Box<Self>) -> bool;
}

/// How the host signals a vector: it goes to the trigger the vector has at that
/// moment, and nowhere once the vector has lost its trigger, even if it gets
/// another.
#[derive(Clone)]
pub struct Signal(Arc<Wire>);

impl Signal {
    pub(super) fn new(wire: Arc<Wire>) -> Self {
        Self(wire)
    }

    /// Signals the vector's trigger; false if it has lost it. Takes no lock, and
    /// blocks only if the client goes out of its way (see
    /// [the module](super#replacing-a-trigger)).
    pub fn give(&self) -> bool {
        self.0.signal()
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").finish_non_exhaustive()
    }
}

/// Why the host gave no interrupt.
#[derive(Debug, thiserror::Error)]
#[error("the host gave no interrupt: {source}")]
pub struct BackingError {
    errno: Errno,
    source: Box<dyn Error + Send + Sync>,
}

impl BackingError {
    /// An error that a client sees as `errno`.
    pub fn new(errno: Errno, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            errno,
            source: source.into(),
        }
    }

    /// What a caller that expects an errno is told.
    pub fn errno(&self) -> Errno {
        self.errno
    }
}
