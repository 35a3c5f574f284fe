// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's writes to its MSI-X against raise: exactly once, whole, with its data.

use alloc::sync::Arc;
use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
use loom::sync::atomic::{AtomicBool, AtomicU64, fence};
use loom::thread;

use super::bench::message;
use crate::domain::Raised;
use crate::grace::Grace;
use crate::message::{Message, RequesterId};
use crate::msix::layout::{ENABLE, FUNCTION_MASK};
use crate::msix::{BarOffset, Msix, MsixConfig, MsixPort};
use crate::sink::{Acceptance, Answer, MessageSink};

/// Takes messages and looks, where they are taken, at what they announce.
#[derive(Debug)]
struct Receiver {
    open: AtomicBool,
    taken: AtomicU64,
    /// What raisers write before they raise.
    data: AtomicU64,
    /// All of it that was seen with a message.
    seen: AtomicU64,
}

impl MessageSink for Receiver {
    fn send(&self, _requester: RequesterId, sent: Message) -> Answer {
        let vector = u8::try_from(sent.data).expect("torn: no vector");
        assert_eq!(sent, message(vector), "torn");
        if !self.open.load(Relaxed) {
            return Answer::Busy;
        }
        self.seen.fetch_or(self.data.load(Relaxed), Relaxed);
        self.taken.fetch_add(1, Relaxed);
        Answer::Accepted(Acceptance::HandedOver)
    }

    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        self.open.load(Relaxed)
    }
}

impl Receiver {
    /// Becomes ready, as [`MessageSink`] asks: before anything is retried.
    fn open(&self) {
        self.open.store(true, Relaxed);
        fence(SeqCst);
    }

    #[track_caller]
    fn assert_taken_once(&self, port: &MsixPort<Arc<Self>>) {
        assert_eq!(self.taken.load(Relaxed), 1, "exactly once");
        assert_eq!(self.seen.load(Relaxed), self.data.load(Relaxed), "data");
        assert!(!port.is_pending(0));
    }
}

type Guest = Msix<Arc<Receiver>>;

/// One vector, programmed for 31h and unmasked, with this message control.
fn guest(control: u16) -> (Guest, Arc<Receiver>) {
    let sink = Arc::new(Receiver {
        open: AtomicBool::new(true),
        taken: AtomicU64::new(0),
        data: AtomicU64::new(0),
        seen: AtomicU64::new(0),
    });
    let config = MsixConfig {
        vectors: 1,
        table: BarOffset { bir: 0, offset: 0 },
        pba: BarOffset { bir: 1, offset: 0 },
    };
    let mut msix = Msix::new(config, RequesterId(0), Arc::clone(&sink)).unwrap();
    program(&mut msix, 0x31);
    mask(&mut msix, false);
    set_control(&mut msix, control);
    (msix, sink)
}

fn program(msix: &mut Guest, vector: u8) {
    msix.write_table(0, &message(vector).address.to_le_bytes());
    msix.write_table(8, &message(vector).data.to_le_bytes());
}

fn mask(msix: &mut Guest, masked: bool) {
    msix.write_table(12, &[masked.into()]);
}

fn set_control(msix: &mut Guest, control: u16) {
    msix.write_config(2, &control.to_le_bytes());
}

/// A device that writes `amount` and raises.
fn device(msix: &Guest, sink: &Arc<Receiver>, amount: u64) -> thread::JoinHandle<()> {
    let (port, sink) = (msix.port(), Arc::clone(sink));
    thread::spawn(move || {
        sink.data.fetch_add(amount, Relaxed);
        let _ = port.raise(0);
    })
}

/// One raise against what `guests` does; in the end nothing holds it back.
fn meet(control: u16, before: fn(&mut Guest), guests: fn(&mut Guest)) {
    loom::model(move || {
        let (mut msix, sink) = guest(control);
        before(&mut msix);
        let device = device(&msix, &sink, 1);
        guests(&mut msix);
        device.join().unwrap();
        sink.assert_taken_once(&msix.port());
    });
}

#[test]
fn loom_msix_a_raise_that_meets_a_vector_unmask_is_taken_once_with_its_data() {
    meet(ENABLE, |msix| mask(msix, true), |msix| mask(msix, false));
}

#[test]
fn loom_msix_a_raise_that_meets_a_function_unmask_is_taken_once_with_its_data() {
    let masked = ENABLE | FUNCTION_MASK;
    meet(masked, |_| {}, |msix| set_control(msix, ENABLE));
}

#[test]
fn loom_msix_a_raise_that_meets_the_enable_is_taken_once_with_its_data() {
    meet(0, |_| {}, |msix| set_control(msix, ENABLE));
}

#[test]
fn loom_msix_a_raise_that_meets_a_mask_and_an_unmask_is_taken_once() {
    let guests = |msix: &mut Guest| {
        mask(msix, true);
        mask(msix, false);
    };
    meet(ENABLE, |_| {}, guests);
}

#[test]
fn loom_msix_a_raise_that_meets_a_function_mask_and_its_end_is_taken_once() {
    let guests = |msix: &mut Guest| {
        set_control(msix, ENABLE | FUNCTION_MASK);
        set_control(msix, ENABLE);
    };
    meet(ENABLE, |_| {}, guests);
}

#[test]
fn loom_msix_a_raise_that_meets_both_unmasks_is_taken_once() {
    let guests = |msix: &mut Guest| {
        set_control(msix, ENABLE);
        mask(msix, false);
    };
    meet(ENABLE | FUNCTION_MASK, |msix| mask(msix, true), guests);
}

#[test]
fn loom_msix_a_message_rewritten_under_its_mask_is_never_torn() {
    let guests = |msix: &mut Guest| {
        mask(msix, true);
        program(msix, 0x42);
        mask(msix, false);
    };
    meet(ENABLE, |_| {}, guests);
}

#[test]
fn loom_msix_a_message_rewritten_under_the_function_mask_is_never_torn() {
    let guests = |msix: &mut Guest| {
        set_control(msix, ENABLE | FUNCTION_MASK);
        program(msix, 0x42);
        set_control(msix, ENABLE);
    };
    meet(ENABLE, |_| {}, guests);
}

#[test]
fn loom_msix_a_message_rewritten_and_put_back_is_never_torn() {
    let guests = |msix: &mut Guest| {
        for vector in [0x42, 0x31] {
            mask(msix, true);
            program(msix, vector);
            mask(msix, false);
        }
    };
    meet(ENABLE, |_| {}, guests);
}

#[test]
fn loom_msix_an_entry_replaced_by_a_restore_is_never_torn() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        let mut state = msix.save();
        state.entries[0].message = message(0x42);
        let device = device(&msix, &sink, 1);
        msix.restore(&state).unwrap();
        device.join().unwrap();
        let port = msix.port();
        assert!(!port.is_pending(0));
        let dropped = port.counts(0).unwrap().dropped;
        assert_eq!(sink.taken.load(Relaxed) + dropped, 1, "taken or dropped");
        assert_eq!(msix.vector(0).unwrap().message, message(0x42));
    });
}

#[test]
fn loom_msix_a_raise_that_meets_a_reset_is_taken_dropped_or_kept() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        let device = device(&msix, &sink, 1);
        msix.reset();
        device.join().unwrap();
        let port = msix.port();
        let dropped = port.counts(0).unwrap().dropped;
        let kept = u64::from(port.is_pending(0));
        assert_eq!(sink.taken.load(Relaxed) + dropped + kept, 1);
    });
}

#[test]
fn loom_msix_two_raises_that_meet_an_unmask_are_each_announced() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        mask(&mut msix, true);
        let devices = [1, 0x100].map(|amount| device(&msix, &sink, amount));
        mask(&mut msix, false);
        for device in devices {
            device.join().unwrap();
        }
        assert_eq!(sink.seen.load(Relaxed), 0x101, "data without an interrupt");
        assert!(!msix.port().is_pending(0));
    });
}

#[test]
fn loom_msix_a_raise_that_meets_a_sink_getting_ready_is_taken_once() {
    loom::model(|| {
        let (msix, sink) = guest(ENABLE);
        sink.open.store(false, Relaxed);
        let device = device(&msix, &sink, 1);
        sink.open();
        msix.port().retry(0);
        device.join().unwrap();
        sink.assert_taken_once(&msix.port());
    });
}

#[test]
fn loom_msix_a_raise_that_met_a_kept_one_is_announced_by_whoever_takes_that() {
    loom::model(|| {
        let (msix, sink) = guest(ENABLE);
        sink.open.store(false, Relaxed);
        let port = msix.port();
        let other = thread::spawn(move || port.raise(0));
        sink.data.store(1, Relaxed);
        let raised = msix.port().raise(0);
        // Ready, but nobody retries: the other may find it so by itself.
        sink.open.store(true, Relaxed);
        let others = other.join().unwrap();
        if let (Raised::Met, Raised::Sent(_)) = (raised, others) {
            assert_eq!(sink.seen.load(Relaxed), 1, "data without an interrupt");
        }
    });
}

#[test]
fn loom_msix_a_raise_kept_for_a_sink_is_taken_with_its_data_by_an_unmask() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        sink.open.store(false, Relaxed);
        let device = device(&msix, &sink, 1);
        // Without the fence that comes before a retry: the entry alone must carry
        // the data to the one who unmasks.
        sink.open.store(true, Relaxed);
        mask(&mut msix, true);
        mask(&mut msix, false);
        device.join().unwrap();
        msix.port().retry(0);
        sink.assert_taken_once(&msix.port());
    });
}

#[test]
fn loom_msix_a_retry_that_meets_a_rewrite_sends_once_and_nothing_torn() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        sink.open.store(false, Relaxed);
        let _ = msix.port().raise(0);
        sink.open();
        let port = msix.port();
        let other = thread::spawn(move || port.retry(0));
        mask(&mut msix, true);
        program(&mut msix, 0x42);
        mask(&mut msix, false);
        other.join().unwrap();
        sink.assert_taken_once(&msix.port());
    });
}

#[test]
fn loom_msix_a_retry_that_meets_two_rewrites_sends_once_and_nothing_torn() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        sink.open.store(false, Relaxed);
        let _ = msix.port().raise(0);
        let port = msix.port();
        let other = thread::spawn(move || port.retry(0));
        // Not taken out by the guest's unmask, for the sink is busy: kept anew.
        for vector in [0x42, 0x31] {
            mask(&mut msix, true);
            program(&mut msix, vector);
            mask(&mut msix, false);
        }
        other.join().unwrap();
        assert_eq!(sink.taken.load(Relaxed), 0);
        sink.open();
        msix.port().retry(0);
        sink.assert_taken_once(&msix.port());
    });
}

#[test]
fn loom_msix_who_sees_a_pending_bit_sees_the_data() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        mask(&mut msix, true);
        let (port, seen) = (msix.port(), Arc::clone(&sink));
        let poller = thread::spawn(move || {
            if port.is_pending(0) {
                assert_eq!(seen.data.load(Relaxed), 1, "pending before its data");
            }
        });
        sink.data.store(1, Relaxed);
        let _ = msix.port().raise(0);
        poller.join().unwrap();
        let mut bits = [0; 8];
        msix.read_pba(0, &mut bits);
        assert_eq!(bits, [1, 0, 0, 0, 0, 0, 0, 0]);
    });
}

#[test]
fn loom_msix_after_a_mask_and_a_grace_period_nothing_comes() {
    loom::model(|| {
        let (mut msix, sink) = guest(ENABLE);
        let mut grace = Grace::new();
        let (port, mut raiser) = (msix.port(), grace.raiser());
        grace.device.replace(Some(thread::spawn(move || {
            let _flight = raiser.enter();
            let _ = port.raise(0);
        })));
        mask(&mut msix, true);
        grace.wait();
        let taken = sink.taken.load(Relaxed);
        let device = grace.device.take();
        if let Some(device) = device {
            device.join().unwrap();
        }
        assert_eq!(sink.taken.load(Relaxed), taken, "after the mask");
        assert_ne!(taken == 1, msix.port().is_pending(0), "taken or kept");
    });
}
