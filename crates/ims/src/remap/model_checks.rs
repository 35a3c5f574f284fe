// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model checks of the places where two threads meet in this room. Each fails
//! if the ordering it names is weakened.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p ims --lib --release loom_`

use super::*;
use crate::message::{DeliveryMode, Destination, Message, RequesterId};
use crate::posted::{Descriptor, Descriptors, Notification};
use crate::sink::{Answer, CpuSink, MessageSink, Refusal};
use crate::sync::{AtomicU64, Ordering};
use std::sync::Arc;

const OWNER: RequesterId = RequesterId(0x100);
const STRANGER: RequesterId = RequesterId(0x200);
/// Remappable, handle 0.
const MESSAGE: Message = Message {
    address: 0xfee0_0010,
    data: 0,
};
const OLD: Target = Target::Posted {
    descriptor: 0,
    vector: 0x40,
    urgent: false,
};
const NEW: Target = Target::Posted {
    descriptor: 64,
    vector: 0x41,
    urgent: false,
};

struct NoCpu;

impl CpuSink for NoCpu {
    fn deliver(&self, _: Destination, _: u8, _: DeliveryMode) -> Answer {
        Answer::Busy
    }
}

/// A descriptor at each address, of which the one at 64 is usable only once its
/// maker has said so.
struct Made {
    old: Descriptor,
    new: Descriptor,
    ready: AtomicU64,
}

impl Descriptors for Made {
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        if address == 0 {
            return Some(&self.old);
        }
        (self.ready.load(Ordering::Relaxed) == 1).then_some(&self.new)
    }
}

type Parts = (
    Control<PairTable>,
    Unit<PairTable, NoCpu, Arc<Made>>,
    Arc<Made>,
);

fn parts(modes: Modes) -> Parts {
    let nobody = Notification {
        destination: 0,
        vector: 0,
    };
    let made = Arc::new(Made {
        old: Descriptor::new(nobody),
        new: Descriptor::new(nobody),
        ready: AtomicU64::new(0),
    });
    let mut control = Control::new(PairTable::new(2), modes, 0, NoInvalidate).unwrap();
    assert_eq!(control.allocate(), Ok(0));
    let unit = control.unit(NoCpu, made.clone());
    (control, unit, made)
}

fn fault(answer: Answer) -> Option<FaultReason> {
    match answer {
        Answer::Refused(Refusal::Fault(reason)) => Some(reason),
        Answer::Accepted(_) => None,
        other => panic!("{other:?}"),
    }
}

/// Release of the lower half over the upper, and its acquire.
#[test]
fn loom_an_entry_being_bound_never_admits_a_stranger() {
    loom::model(|| {
        let (mut control, unit, made) = parts(Modes::x2apic(2));
        let sender = loom::thread::spawn(move || {
            let reason = fault(unit.send(STRANGER, MESSAGE));
            assert!(matches!(
                reason,
                Some(FaultReason::NotPresent | FaultReason::SourceId)
            ));
        });
        control.bind(0, Source::exactly(OWNER), OLD).unwrap();
        sender.join().unwrap();
        assert!(!made.old.is_pending(0x40));
    });
}

/// Release of the lower half over what it leads to.
#[test]
fn loom_a_moved_entry_leads_to_the_old_target_or_the_new_one_ready_made() {
    loom::model(|| {
        let (mut control, unit, made) = parts(Modes::x2apic(2));
        control.bind(0, Source::exactly(OWNER), OLD).unwrap();
        let sender =
            loom::thread::spawn(move || assert_eq!(fault(unit.send(OWNER, MESSAGE)), None));
        made.ready.store(1, Ordering::Relaxed);
        control.retarget(0, NEW).unwrap();
        sender.join().unwrap();
        assert!(made.old.is_pending(0x40) != made.new.is_pending(0x41));
    });
}

/// The upper half stays for whoever has read the lower one.
#[test]
fn loom_an_entry_being_cleared_takes_its_owners_request_or_blocks_it_as_not_present() {
    loom::model(|| {
        let (mut control, unit, made) = parts(Modes::x2apic(2));
        control.bind(0, Source::exactly(OWNER), OLD).unwrap();
        let sender = loom::thread::spawn(move || {
            let reason = fault(unit.send(STRANGER, MESSAGE));
            assert!(matches!(
                reason,
                Some(FaultReason::NotPresent | FaultReason::SourceId)
            ));
        });
        control.clear(0).unwrap();
        sender.join().unwrap();
        assert!(!made.old.is_pending(0x40));
    });
}

/// Release of a lower half without P over what was done before, and its acquire.
#[test]
fn loom_who_is_blocked_by_a_cleared_entry_sees_what_was_done_before_it_was_cleared() {
    loom::model(|| {
        let (mut control, unit, _made) = parts(Modes::x2apic(2));
        control.bind(0, Source::exactly(OWNER), OLD).unwrap();
        let why = Arc::new(AtomicU64::new(0));
        let told = why.clone();
        let sender = loom::thread::spawn(move || {
            if fault(unit.send(OWNER, MESSAGE)) == Some(FaultReason::NotPresent) {
                assert_eq!(told.load(Ordering::Relaxed), 1);
            }
        });
        why.store(1, Ordering::Relaxed);
        control.clear(0).unwrap();
        sender.join().unwrap();
    });
}

/// Release of the modes over the entries written before, and its acquire.
#[test]
fn loom_who_sees_remapping_on_sees_the_entries_bound_before() {
    loom::model(|| {
        let (mut control, unit, _made) = parts(Modes::x2apic(2).with_remapping(false));
        let sender = loom::thread::spawn(move || match unit.send(OWNER, MESSAGE) {
            Answer::Refused(Refusal::Malformed) | Answer::Accepted(_) => {}
            other => panic!("{other:?}"),
        });
        control.bind(0, Source::exactly(OWNER), OLD).unwrap();
        control.set_modes(Modes::x2apic(2)).unwrap();
        sender.join().unwrap();
    });
}

fn numbered(index: u16) -> Fault {
    Fault {
        reason: FaultReason::NotPresent,
        requester: OWNER,
        index,
    }
}

/// Release of a record over what led to the fault, and its acquire.
#[test]
fn loom_who_takes_a_fault_sees_what_led_to_it() {
    loom::model(|| {
        let log = Arc::new(FaultLog::new(0));
        let cause = Arc::new(AtomicU64::new(0));
        // The taker is the spawned one: loom forgets that somebody looked at a word
        // which its changer looks at first itself, and would not try that order.
        let taker = loom::thread::spawn({
            let (log, cause) = (log.clone(), cause.clone());
            move || {
                let fault = log.take()?;
                assert_eq!(cause.load(Ordering::Relaxed), 1);
                Some(fault)
            }
        });
        cause.store(1, Ordering::Relaxed);
        log.raise(numbered(7), false);
        let early = taker.join().unwrap();
        assert_eq!(early.or_else(|| log.take()), Some(numbered(7)));
        assert_eq!(log.take(), None);
    });
}

#[test]
fn loom_one_record_raced_for_by_two_raisers_and_a_taker_keeps_every_fault_accounted_for() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let log = Arc::new(FaultLog::new(0));
        let taker = loom::thread::spawn({
            let log = log.clone();
            move || [log.take(), log.take()]
        });
        let raiser = loom::thread::spawn({
            let log = log.clone();
            move || log.raise(numbered(1), false)
        });
        log.raise(numbered(2), false);
        raiser.join().unwrap();
        let mut taken: Vec<Fault> = taker.join().unwrap().into_iter().flatten().collect();
        taken.extend(log.take());
        assert_eq!(log.take(), None);
        let counts = log.counts();
        assert_eq!(counts.of(FaultReason::NotPresent), 2);
        assert_eq!(taken.len() as u64 + counts.overflowed, 2);
        assert_eq!(log.status().overflow(), counts.overflowed != 0);
        let mut indices: Vec<u16> = taken.iter().map(|fault| fault.index).collect();
        indices.dedup();
        assert_eq!(indices.len(), taken.len());
        assert!(taken.iter().all(|fault| *fault == numbered(fault.index)));
    });
}
