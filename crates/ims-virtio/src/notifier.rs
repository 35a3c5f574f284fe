// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device says to its driver; how it gets there is the transport's.

use std::fmt;
use std::sync::Arc;

/// Something that the driver is told by an interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Buffers of this queue are used.
    Used(u16),
    /// The device's configuration changed.
    Config,
}

/// Who brings events to the driver: a transport's interrupts.
///
/// # Concurrency
/// Called on any thread; takes no lock that a register access holds, and does not
/// wait.
pub trait Notify: Send + Sync {
    /// Everything the caller wrote before is visible to the driver that handles it.
    fn notify(&self, event: Event);

    /// The device found something that only a reset ends: the transport sets
    /// `DEVICE_NEEDS_RESET`, and tells the driver if it runs. Source: virtio 1.3,
    /// 2.1.2. May be called more than once.
    fn needs_reset(&self) {}
}

/// Given to a device when it starts.
#[derive(Clone)]
pub struct Notifier(Arc<dyn Notify>);

impl Notifier {
    /// Of a transport's interrupts.
    pub fn new(notify: Arc<dyn Notify>) -> Self {
        Self(notify)
    }

    /// The driver shall look into `queue`. The device has asked the queue whether the
    /// driver wants to be told.
    pub fn used(&self, queue: u16) {
        self.0.notify(Event::Used(queue));
    }

    /// The configuration has changed, and its generation.
    pub fn config_changed(&self) {
        self.0.notify(Event::Config);
    }

    /// What the driver did to a queue cannot be gone on with; only a reset ends it.
    pub fn needs_reset(&self) {
        self.0.needs_reset();
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}
