// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What becomes of a raise, and how it is counted, in each situation.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::{Counts, Port, Raised};
use crate::grace::{Grace, Raiser};
use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink, Refusal};
use crate::store::table::{OwnMemory, Table, TableSlots};
use crate::store::{Cookie, CookieUse, Effects, Pasid, Store};

const MESSAGE: Message = Message {
    address: 0xfee0_1004,
    data: 0x4051,
};
const REQUESTER: RequesterId = RequesterId(0x2a0);
const OWNER: u32 = 0x51234;

const FRESH: Answer = Answer::Accepted(Acceptance::Fresh);

/// What happens inside the sink, before it answers.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// Gives the answers it was told to, in turn; nothing else may be sent.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<(Answer, Option<Meanwhile>)>>,
    ready: AtomicBool,
}

impl Script {
    fn then(&self, answer: Answer) {
        self.answers.lock().unwrap().push_back((answer, None));
    }

    fn then_while(&self, answer: Answer, meanwhile: impl FnOnce() + Send + 'static) {
        let step = (answer, Some(Box::new(meanwhile) as Meanwhile));
        self.answers.lock().unwrap().push_back(step);
    }
}

impl MessageSink for Script {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!((requester, message), (REQUESTER, MESSAGE));
        let step = self.answers.lock().unwrap().pop_front();
        let (answer, meanwhile) = step.expect("nothing more was to be sent");
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        answer
    }

    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        assert_eq!((requester, message), (REQUESTER, MESSAGE));
        self.ready.load(SeqCst)
    }
}

type Tabled = Port<TableSlots<OwnMemory>, Arc<Script>>;

struct Bench {
    table: Table,
    port: Tabled,
    sink: Arc<Script>,
    raiser: Raiser,
}

/// Interrupt 3, unmasked, of the owner with PASID [`OWNER`].
fn bench() -> Bench {
    let sink = Arc::<Script>::default();
    let mut table = Table::new(8, CookieUse::Pasid);
    table.prepare(3, Cookie(OWNER.into())).unwrap();
    table.program(3, MESSAGE);
    table.unmask(3, &mut Effects::default());
    let port = Port::new(table.slots(), Arc::clone(&sink), REQUESTER);
    port.open(3);
    let raiser = Grace::new().raiser();
    Bench {
        table,
        port,
        sink,
        raiser,
    }
}

impl Bench {
    fn raise(&mut self) -> Raised {
        self.raise_for(Pasid::new(OWNER))
    }

    fn raise_for(&mut self, submitter: Option<Pasid>) -> Raised {
        self.port.raise(&self.raiser.enter(), 0, 3, submitter)
    }

    fn counts(&self) -> Counts {
        self.port.counts(3).unwrap()
    }

    /// Whether everything the sink was told to answer was asked for.
    fn all_sent(&self) -> bool {
        self.sink.answers.lock().unwrap().is_empty()
    }
}

#[test]
fn what_the_sink_accepts_is_sent_and_counted_by_how_it_was_taken() {
    for (acceptance, coalesced, handed_over) in [
        (Acceptance::Fresh, 0, 0),
        (Acceptance::Coalesced, 1, 0),
        (Acceptance::HandedOver, 0, 1),
    ] {
        let mut bench = bench();
        bench.sink.then(Answer::Accepted(acceptance));
        assert_eq!(bench.raise(), Raised::Sent(acceptance));
        let expected = Counts {
            raised: 1,
            coalesced,
            handed_over,
            ..Counts::default()
        };
        assert_eq!(bench.counts(), expected);
    }
}

#[test]
fn what_the_sink_refuses_is_counted_and_not_kept() {
    let mut bench = bench();
    bench.sink.then(Answer::Refused(Refusal::NoSuchCpu));
    assert_eq!(bench.raise(), Raised::Refused(Refusal::NoSuchCpu));
    assert_eq!((bench.counts().raised, bench.counts().refused), (1, 1));
    assert!(!bench.port.is_pending(3));
}

#[test]
fn another_pasid_or_none_is_refused_masked_or_not_and_keeps_nothing() {
    let mut bench = bench();
    for masked in [false, true] {
        if masked {
            bench.port.mask(3);
        }
        for submitter in [None, Pasid::new(OWNER ^ 1)] {
            assert_eq!(bench.raise_for(submitter), Raised::Refused(Refusal::Pasid));
            let checked = bench.port.check(0, 3, submitter);
            assert_eq!(checked, Err(Refusal::Pasid));
        }
    }
    assert!(!bench.port.is_pending(3));
    assert_eq!((bench.counts().raised, bench.counts().refused), (4, 4));
    let owner = Pasid::new(OWNER);
    assert_eq!(bench.port.check(0, 3, owner), Ok(()));
}

#[test]
fn a_raise_of_what_was_never_allocated_or_freed_is_a_stray() {
    let mut bench = bench();
    let owner = Pasid::new(OWNER);
    let stray = Raised::Refused(Refusal::NotAllocated);
    for index in [2, 4, 7, 8, u32::MAX] {
        let flight = bench.raiser.enter();
        assert_eq!(bench.port.raise(&flight, 0, index, owner), stray);
        let checked = bench.port.check(0, index, owner);
        assert_eq!(checked, Err(Refusal::NotAllocated));
        assert_eq!(bench.port.counts(index), None);
    }
    // Validity comes from the allocation: the slot itself is untouched yet.
    bench.port.close(3);
    assert_eq!(bench.raise(), stray);
    assert_eq!(bench.port.strays(), 6);
    assert_eq!(bench.port.take_counts(3), Counts::default());
}

#[test]
fn a_mask_works_at_once_and_an_unmask_delivers_what_was_kept_once() {
    let mut bench = bench();
    bench.port.mask(3);
    assert_eq!(bench.raise(), Raised::Held);
    assert_eq!(bench.raise(), Raised::Met);
    assert_eq!(bench.raise(), Raised::Met);
    assert!(bench.port.is_pending(3));
    bench.sink.then(FRESH);
    bench.port.unmask(&bench.raiser.enter(), 3);
    assert!(bench.all_sent() && !bench.port.is_pending(3));
    // Nothing is left for another unmask.
    bench.port.unmask(&bench.raiser.enter(), 3);
    let expected = Counts {
        raised: 3,
        held: 1,
        coalesced: 2,
        ..Counts::default()
    };
    assert_eq!(bench.counts(), expected);
}

#[test]
fn an_unmask_with_nothing_kept_sends_nothing() {
    let mut bench = bench();
    bench.port.mask(3);
    bench.port.unmask(&bench.raiser.enter(), 3);
    assert_eq!(bench.counts(), Counts::default());
    bench.sink.then(FRESH);
    assert_eq!(bench.raise(), Raised::Sent(Acceptance::Fresh));
}

#[test]
fn what_a_busy_sink_did_not_take_is_kept_and_retried_once() {
    let mut bench = bench();
    bench.sink.then(Answer::Busy);
    bench.sink.then(Answer::Busy);
    assert_eq!(bench.raise(), Raised::Held);
    assert_eq!(bench.raise(), Raised::Met);
    bench.sink.ready.store(true, SeqCst);
    bench.sink.then(Answer::Accepted(Acceptance::HandedOver));
    bench.port.retry(&bench.raiser.enter(), 3);
    assert!(bench.all_sent() && !bench.port.is_pending(3));
    bench.port.retry(&bench.raiser.enter(), 3);
    let expected = Counts {
        raised: 2,
        held: 1,
        coalesced: 1,
        handed_over: 1,
        ..Counts::default()
    };
    assert_eq!(bench.counts(), expected);
}

#[test]
fn a_sink_that_is_ready_again_at_once_is_asked_again_at_once() {
    let mut bench = bench();
    bench.sink.ready.store(true, SeqCst);
    bench.sink.then(Answer::Busy);
    bench.sink.then(FRESH);
    assert_eq!(bench.raise(), Raised::Sent(Acceptance::Fresh));
    assert!(bench.all_sent() && !bench.port.is_pending(3));
    assert_eq!(bench.counts().held, 0);
}

#[test]
fn a_retry_leaves_alone_what_is_masked_until_it_is_unmasked() {
    let mut bench = bench();
    bench.sink.then(Answer::Busy);
    assert_eq!(bench.raise(), Raised::Held);
    bench.port.mask(3);
    bench.sink.ready.store(true, SeqCst);
    bench.port.retry(&bench.raiser.enter(), 3);
    assert!(bench.port.is_pending(3));
    bench.sink.then(FRESH);
    bench.port.unmask(&bench.raiser.enter(), 3);
    assert!(bench.all_sent() && !bench.port.is_pending(3));
}

#[test]
fn a_replay_that_finds_the_sink_busy_is_kept_again() {
    let mut bench = bench();
    bench.port.mask(3);
    assert_eq!(bench.raise(), Raised::Held);
    bench.sink.then(Answer::Busy);
    bench.port.unmask(&bench.raiser.enter(), 3);
    assert!(bench.port.is_pending(3));
    bench.sink.ready.store(true, SeqCst);
    bench.sink.then(FRESH);
    bench.port.retry(&bench.raiser.enter(), 3);
    assert!(bench.all_sent() && !bench.port.is_pending(3));
}

#[test]
fn a_raise_whose_interrupt_is_freed_while_the_sink_is_busy_is_dropped() {
    let mut bench = bench();
    let (port, mut table) = (bench.port.clone(), Table::new(0, CookieUse::Pasid));
    core::mem::swap(&mut table, &mut bench.table);
    bench.sink.then_while(Answer::Busy, move || {
        let mut effects = Effects::default();
        port.close(3);
        table.clear(3, &mut effects);
        assert!(effects.dropped.is_empty(), "nothing was kept yet");
    });
    assert_eq!(bench.raise(), Raised::Dropped);
    assert!(!bench.port.is_pending(3));
    let counts = bench.port.take_counts(3);
    assert_eq!((counts.raised, counts.dropped), (1, 1));
}

#[test]
fn a_raise_whose_slot_is_masked_while_the_sink_is_busy_waits_for_the_unmask() {
    let mut bench = bench();
    let port = bench.port.clone();
    bench.sink.ready.store(true, SeqCst);
    bench.sink.then_while(Answer::Busy, move || port.mask(3));
    assert_eq!(bench.raise(), Raised::Held);
    assert!(bench.port.is_pending(3));
    bench.sink.then(FRESH);
    bench.port.unmask(&bench.raiser.enter(), 3);
    assert!(bench.all_sent() && !bench.port.is_pending(3));
}

#[test]
fn a_replay_that_finds_its_slot_masked_again_is_kept_for_the_next_unmask() {
    let mut bench = bench();
    bench.port.mask(3);
    assert_eq!(bench.raise(), Raised::Held);
    let mut effects = Effects::default();
    bench.table.unmask(3, &mut effects);
    assert_eq!(effects.replay, [3]);
    bench.port.mask(3);
    bench.port.replay(&bench.raiser.enter(), 3);
    assert!(bench.port.is_pending(3));
    bench.sink.then(FRESH);
    bench.port.unmask(&bench.raiser.enter(), 3);
    assert!(bench.all_sent() && !bench.port.is_pending(3));
}

#[test]
fn a_replay_for_an_interrupt_just_freed_is_counted_as_dropped() {
    let mut bench = bench();
    bench.port.mask(3);
    assert_eq!(bench.raise(), Raised::Held);
    let mut effects = Effects::default();
    bench.table.unmask(3, &mut effects);
    bench.port.close(3);
    bench.port.replay(&bench.raiser.enter(), 3);
    let counts = bench.port.take_counts(3);
    assert_eq!((counts.raised, counts.dropped), (1, 1));
}

#[test]
fn counts_start_anew_with_the_next_owner() {
    let mut bench = bench();
    bench.sink.then(FRESH);
    assert_eq!(bench.raise(), Raised::Sent(Acceptance::Fresh));
    bench.port.close(3);
    assert_eq!(bench.port.take_counts(3).raised, 1);
    bench.port.open(3);
    assert_eq!(bench.counts(), Counts::default());
}
