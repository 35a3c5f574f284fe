// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pin (INTx): level-triggered, masked by itself when it is signalled.

use super::patience::Patience;
use super::trigger::Trigger;
use super::wire::{Sign, Wire};
use crate::sync::{AtomicU8, Ordering};

/// The device asserts it.
const ASSERTED: u8 = 1 << 0;
/// The client masked it.
const MASKED: u8 = 1 << 1;
/// It was signalled, and is masked until the client unmasks it (AUTOMASKED).
const SIGNALLED: u8 = 1 << 2;
/// It has a trigger. Set after the trigger is there, taken off before it goes.
const ARMED: u8 = 1 << 3;

/// Whether the state asks for a signal.
fn is_due(state: u8) -> bool {
    state & (ASSERTED | MASKED | SIGNALLED | ARMED) == ASSERTED | ARMED
}

/// The pin of one device.
///
/// # Concurrency
/// All that can happen is one atomic step, and a signal if the step made one due.
/// The device changes the level on any thread; whatever the client asks comes
/// from one thread at a time.
#[derive(Debug)]
pub(super) struct Pin<T = Trigger> {
    state: AtomicU8,
    wire: Wire<T>,
}

impl<T> Default for Pin<T> {
    fn default() -> Self {
        Self {
            state: AtomicU8::new(0),
            wire: Wire::default(),
        }
    }
}

impl<T: Sign> Pin<T> {
    /// Takes one step, and signals by `signal` if that makes it due.
    fn step_and(&self, set: u8, clear: u8, signal: impl Fn(&Wire<T>) -> bool) {
        let (mut set, mut clear) = (set, clear);
        loop {
            let next = |state: u8| {
                let next = state & !clear | set;
                if is_due(next) { next | SIGNALLED } else { next }
            };
            let Ok(old) = self
                .state
                .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |state| {
                    Some(next(state))
                })
            else {
                return;
            };
            if !is_due(old & !clear | set) || signal(&self.wire) {
                return;
            }
            // The trigger was taken away in between, and nobody saw the signal:
            // it is due again as soon as there is a trigger.
            (set, clear) = (0, SIGNALLED);
        }
    }

    /// A step of whoever has the device's lock.
    fn step(&self, set: u8, clear: u8) {
        self.step_and(set, clear, Wire::signal_unheld);
    }

    /// The device's side: its level.
    pub(super) fn set_level(&self, asserted: bool) {
        if asserted {
            self.step_and(ASSERTED, 0, Wire::signal);
        } else {
            self.step_and(0, ASSERTED, Wire::signal);
        }
    }

    pub(super) fn mask(&self) {
        self.step(MASKED, 0);
    }

    pub(super) fn unmask(&self) {
        self.step(0, MASKED | SIGNALLED);
    }

    /// Gives it a trigger, in the place of the one there is.
    pub(super) fn arm(&self, trigger: T, patience: &Patience) {
        self.wire.replace(Some(trigger), patience);
        self.step(ARMED, 0);
    }

    /// Takes its trigger away. Masks stay as they are.
    pub(super) fn disarm(&self, patience: &Patience) {
        self.step(0, ARMED);
        self.wire.replace(None, patience);
    }

    /// Signals the trigger if there is one; level and masks do not matter.
    pub(super) fn loopback(&self) {
        self.wire.signal_unheld();
    }

    /// Whether the device asserts it.
    pub(super) fn is_asserted(&self) -> bool {
        self.state.load(Ordering::Acquire) & ASSERTED != 0
    }

    /// Whether the client must unmask it before it is signalled again.
    pub(super) fn is_masked(&self) -> bool {
        self.state.load(Ordering::Acquire) & (MASKED | SIGNALLED) != 0
    }

    /// Has it as it was saved.
    pub(super) fn restore(&self, asserted: bool, masked: bool) {
        let mut set = 0;
        if asserted {
            set |= ASSERTED;
        }
        if masked {
            set |= MASKED;
        }
        self.step(set, (ASSERTED | MASKED | SIGNALLED) & !set);
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use std::os::fd::OwnedFd;
    use std::sync::atomic::AtomicBool;

    fn pair() -> (Trigger, OwnedFd) {
        let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let client = rustix::io::dup(&fd).unwrap();
        (Trigger::take(fd).unwrap(), client)
    }

    fn count(fd: &OwnedFd) -> u64 {
        let mut bytes = [0; 8];
        rustix::io::read(fd, &mut bytes).map_or(0, |_| u64::from_ne_bytes(bytes))
    }

    #[test]
    fn it_is_signalled_once_until_it_is_unmasked_and_again_while_it_is_asserted() {
        let (pin, (trigger, client)) = (Pin::default(), pair());
        pin.arm(trigger, &Patience::default());
        pin.set_level(true);
        pin.set_level(true);
        assert_eq!(count(&client), 1);
        assert!(pin.is_masked());
        pin.unmask();
        assert_eq!(count(&client), 1, "still asserted");
        pin.set_level(false);
        pin.unmask();
        assert_eq!(count(&client), 0);
        pin.set_level(true);
        assert_eq!(count(&client), 1);
    }

    #[test]
    fn what_is_asserted_while_masked_or_without_a_trigger_is_signalled_later() {
        let (pin, (trigger, client)) = (Pin::default(), pair());
        pin.mask();
        pin.set_level(true);
        pin.arm(trigger, &Patience::default());
        assert_eq!(count(&client), 0);
        pin.unmask();
        assert_eq!(count(&client), 1);
        pin.disarm(&Patience::default());
        pin.unmask();
        let (trigger, client) = pair();
        pin.arm(trigger, &Patience::default());
        assert_eq!(count(&client), 1);
    }

    #[test]
    fn an_assertion_is_never_lost_while_triggers_come_and_go() {
        let pin = Pin::default();
        std::thread::scope(|scope| {
            let device = scope.spawn(|| {
                for _ in 0..4000 {
                    pin.set_level(true);
                    pin.set_level(false);
                }
                pin.set_level(true);
            });
            while !device.is_finished() {
                let (trigger, _client) = pair();
                pin.arm(trigger, &Patience::default());
                pin.unmask();
                pin.disarm(&Patience::default());
            }
        });
        // Whoever comes last sees that it is asserted.
        let (trigger, client) = pair();
        pin.unmask();
        pin.arm(trigger, &Patience::default());
        assert_eq!(count(&client), 1);
    }

    #[test]
    fn a_signal_that_found_no_trigger_does_not_leave_it_masked() {
        for round in 0..400_u32 {
            let pin = Pin::default();
            let (first, seen) = pair();
            pin.arm(first, &Patience::default());
            let go = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    go.store(true, Ordering::Release);
                    pin.set_level(true);
                });
                while !go.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                for _ in 0..round % 50 {
                    std::hint::spin_loop();
                }
                pin.disarm(&Patience::default());
            });
            let (second, after) = pair();
            pin.arm(second, &Patience::default());
            assert_eq!(count(&seen) + count(&after), 1);
        }
    }
}
