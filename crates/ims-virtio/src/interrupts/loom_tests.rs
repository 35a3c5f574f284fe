// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model checks of events that meet an acknowledgement, another event, or a change of
//! way. Messages are words of the model; all else is what ships.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p ims-virtio --release --lib loom_`.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::layout::mmio::INTERRUPT_USED;

/// A line that is set by one thread at a time, and only when it changes.
#[derive(Debug)]
struct Pin {
    state: AtomicU32,
    inside: AtomicU32,
}

impl Line for Pin {
    fn set(&self, asserted: bool) {
        assert_eq!(self.inside.swap(1, Ordering::Relaxed), 0, "one at a time");
        // Relaxed: who sets it after somebody else must see what that one did.
        assert_ne!(self.state.load(Ordering::Relaxed), u32::from(asserted));
        self.state.store(asserted.into(), Ordering::Relaxed);
        self.inside.store(0, Ordering::Relaxed);
    }
}

/// Messages that are all masked, or all sent.
#[derive(Debug)]
struct Words {
    enabled: AtomicU32,
    /// Set up before the way is taken.
    ready: AtomicU32,
    arrived: AtomicU32,
}

impl Messages for Arc<Words> {
    fn tell(&self, _: Event) -> bool {
        if self.enabled.load(Ordering::Relaxed) == 0 {
            return false;
        }
        assert_eq!(self.ready.load(Ordering::Relaxed), 1, "map and messages");
        self.arrived.store(1, Ordering::Relaxed);
        true
    }

    fn vector(&self, _: Event) -> Option<u32> {
        Some(0)
    }

    fn retry(&self, _: u32) {}
}

type Model = Ways<Arc<Words>, Arc<Words>, Arc<Pin>>;

struct Rig {
    ways: Arc<Model>,
    words: Arc<Words>,
    pin: Arc<Pin>,
    /// What the event is about.
    ring: Arc<AtomicU32>,
}

impl Line for Arc<Pin> {
    fn set(&self, asserted: bool) {
        (**self).set(asserted);
    }
}

impl Rig {
    fn new(mode: Mode) -> Self {
        Self::with(mode, false)
    }

    fn with(mode: Mode, posted: bool) -> Self {
        let word = |value| AtomicU32::new(value);
        let words = Arc::new(Words {
            enabled: word(1),
            ready: word((mode != Mode::Line).into()),
            arrived: word(0),
        });
        let pin = Arc::new(Pin {
            state: word(0),
            inside: word(0),
        });
        let ways = Ways::new(
            Arc::clone(&words),
            Arc::clone(&words),
            Arc::clone(&pin),
            posted,
        );
        ways.restore(mode, true, 0);
        Self {
            ways: Arc::new(ways),
            words,
            pin,
            ring: Arc::new(word(0)),
        }
    }

    /// The device uses a buffer and tells.
    fn device(&self) -> thread::JoinHandle<()> {
        let (ways, ring) = (Arc::clone(&self.ways), Arc::clone(&self.ring));
        thread::spawn(move || {
            ring.store(1, Ordering::Relaxed);
            ways.notify(Event::Used(0));
        })
    }

    fn is_high(&self) -> bool {
        self.pin.state.load(Ordering::Relaxed) != 0
    }

    /// At quiet the line is as status says.
    fn check(&self) {
        assert_eq!(self.is_high(), self.ways.status() != 0);
    }

    fn arrived(&self) -> bool {
        self.words.arrived.load(Ordering::Relaxed) != 0
    }
}

#[test]
fn loom_an_event_that_meets_an_acknowledgement_is_seen_or_asserts_again() {
    loom::model(|| {
        let rig = Rig::new(Mode::Line);
        // Asserted for something that was seen long ago.
        rig.ways.notify(Event::Used(0));
        let device = rig.device();
        rig.ways.acknowledge(INTERRUPT_USED);
        let seen = rig.ring.load(Ordering::Relaxed) != 0;
        device.join().unwrap();
        rig.check();
        assert!(seen || rig.is_high());
    });
}

#[test]
fn loom_a_posted_acknowledgement_leaves_what_the_driver_has_not_been_shown() {
    loom::model(|| {
        let rig = Rig::with(Mode::Line, true);
        // Asserted for something that was seen long ago.
        rig.ways.notify(Event::Used(0));
        let device = rig.device();
        let bits = rig.ways.status();
        // The acknowledgement is under way while the ring is read.
        let seen = rig.ring.load(Ordering::Relaxed) != 0;
        rig.ways.acknowledge(bits);
        device.join().unwrap();
        rig.check();
        assert!(seen || rig.is_high());
    });
}

#[test]
fn loom_events_of_two_threads_assert_the_line_once() {
    loom::model(|| {
        let rig = Rig::new(Mode::Line);
        let device = rig.device();
        rig.ways.notify(Event::Config);
        rig.ways.acknowledge(STATUS);
        let config = rig.ways.status();
        device.join().unwrap();
        rig.check();
        assert!(
            config & !INTERRUPT_USED == 0,
            "it was there, and acknowledged"
        );
    });
}

#[test]
fn loom_an_event_that_meets_an_enabling_is_told_by_a_message() {
    loom::model(|| {
        let rig = Rig::new(Mode::Line);
        let device = rig.device();
        rig.words.ready.store(1, Ordering::Relaxed);
        rig.ways.take(Mode::Msi, 0..1);
        device.join().unwrap();
        rig.check();
        assert!(rig.arrived() && !rig.is_high());
    });
}

#[test]
fn loom_an_event_that_meets_a_disabling_has_been_sent_or_asserts_the_line() {
    loom::model(|| {
        let rig = Rig::new(Mode::Msi);
        let device = rig.device();
        rig.ways.fall_back(0);
        // As who disables MSI looks for what masked vectors keep.
        let arrived = rig.arrived();
        device.join().unwrap();
        rig.check();
        assert!(arrived || rig.is_high());
    });
}

#[test]
fn loom_an_event_that_finds_no_messages_asserts_the_line() {
    loom::model(|| {
        let rig = Rig::new(Mode::Vis);
        let device = rig.device();
        rig.words.enabled.store(0, Ordering::Relaxed);
        rig.ways.fall_back(0);
        let arrived = rig.arrived();
        device.join().unwrap();
        rig.check();
        assert!(arrived || rig.is_high());
    });
}

#[test]
fn loom_an_event_during_two_changes_of_way_is_not_lost() {
    loom::model(|| {
        let rig = Rig::new(Mode::Msi);
        let device = rig.device();
        rig.ways.fall_back(0);
        // What has arrived by now is forgotten, as what vectors kept is.
        let arrived = rig.words.arrived.swap(0, Ordering::Relaxed) != 0;
        rig.ways.take(Mode::Msi, 0..1);
        device.join().unwrap();
        rig.check();
        assert!(arrived || rig.arrived());
    });
}

#[test]
fn loom_nothing_is_left_of_an_event_that_meets_a_reset() {
    loom::model(|| {
        let rig = Rig::new(Mode::Line);
        let device = rig.device();
        rig.ways.reset();
        assert_eq!(rig.ways.status(), 0);
        device.join().unwrap();
        rig.check();
        assert!(!rig.is_high());
        rig.ways.set_live(true);
        assert_eq!(rig.ways.status(), 0);
    });
}
