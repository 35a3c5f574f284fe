// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that runs finds what only a reset ends: status says so, and the driver is
//! told. Source: virtio 1.3, 2.1.2.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::layout::status::NEEDS_RESET;
use crate::notifier::{Event, Notifier, Notify};

/// Whether it has, since the start this was made for.
///
/// # Concurrency
/// Set by the device on any thread, without the transport's lock; read with status.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<AtomicBool>);

impl Trouble {
    /// What it adds to status.
    pub(super) fn bit(&self) -> u32 {
        if self.0.load(Ordering::Acquire) {
            NEEDS_RESET
        } else {
            0
        }
    }

    /// The transport's notifier, for a device that may say so.
    pub(super) fn notifier(&self, transport: &Notifier) -> Notifier {
        Notifier::new(Arc::new(Watched {
            trouble: self.clone(),
            transport: transport.clone(),
        }))
    }
}

struct Watched {
    trouble: Trouble,
    transport: Notifier,
}

impl Notify for Watched {
    fn notify(&self, event: Event) {
        match event {
            Event::Used(queue) => self.transport.used(queue),
            Event::Config => self.transport.config_changed(),
        }
    }

    fn needs_reset(&self) {
        // The driver that is told finds it in status.
        if !self.trouble.0.swap(true, Ordering::AcqRel) {
            self.transport.config_changed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Events(Mutex<Vec<Event>>);

    impl Notify for Events {
        fn notify(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    #[test]
    fn trouble_is_in_status_and_told_once() {
        let events = Arc::<Events>::default();
        let trouble = Trouble::default();
        let notifier = trouble.notifier(&Notifier::new(Arc::clone(&events) as Arc<dyn Notify>));
        notifier.used(3);
        assert_eq!(trouble.bit(), 0);
        notifier.needs_reset();
        assert_eq!(trouble.bit(), NEEDS_RESET);
        notifier.needs_reset();
        assert_eq!(*events.0.lock().unwrap(), [Event::Used(3), Event::Config]);
    }
}
