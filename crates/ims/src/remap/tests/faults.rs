// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fault log against a model, and under load.

use crate::message::RequesterId;
use crate::remap::fault_layout::FaultStatus;
use crate::remap::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

fn fault(reason: FaultReason, requester: u16, index: u16) -> Fault {
    Fault {
        reason,
        requester: RequesterId(requester),
        index,
    }
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let reason = proptest::sample::select(&FaultReason::ALL[..]);
    (reason, any::<u16>(), any::<u16>()).prop_map(|(reason, id, index)| fault(reason, id, index))
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Raise(Fault, bool),
    Take,
    ClearOverflow,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (any_fault(), any::<bool>()).prop_map(|(fault, fpd)| Op::Raise(fault, fpd)),
        4 => Just(Op::Take),
        1 => Just(Op::ClearOverflow),
    ]
}

proptest! {
    #[test]
    fn the_log_behaves_like_a_bounded_queue_that_stops_when_it_overflows(
        last in prop_oneof![0u8..5, Just(255)],
        ops in proptest::collection::vec(op(), 1..900),
    ) {
        let log = FaultLog::new(last);
        let mut queue = VecDeque::new();
        let (mut overflow, mut first) = (false, 0usize);
        let (mut suppressed, mut overflowed) = (0, 0);
        let mut counts = BTreeMap::new();
        let records = usize::from(last) + 1;
        for op in ops {
            match op {
                Op::Raise(fault, fpd) => {
                    log.raise(fault, fpd);
                    *counts.entry(fault.reason).or_insert(0u64) += 1;
                    if fpd && [0x22, 0x24, 0x26, 0x27, 0x28].contains(&fault.reason.code()) {
                        suppressed += 1;
                    } else if overflow || queue.len() == records {
                        overflow = true;
                        overflowed += 1;
                    } else {
                        queue.push_back(fault);
                    }
                }
                Op::Take => {
                    prop_assert_eq!(log.take(), queue.front().copied());
                    if queue.pop_front().is_some() {
                        first = (first + 1) % records;
                    }
                }
                Op::ClearOverflow => {
                    log.clear_overflow();
                    overflow = false;
                }
            }
            let status = FaultStatus::new()
                .with_overflow(overflow)
                .with_pending(!queue.is_empty())
                .with_record_index(first as u8);
            prop_assert_eq!(log.status(), status);
        }
        let seen = log.counts();
        for reason in FaultReason::ALL {
            prop_assert_eq!(seen.of(reason), counts.get(&reason).copied().unwrap_or(0));
        }
        prop_assert_eq!((seen.suppressed, seen.overflowed), (suppressed, overflowed));
    }
}

#[test]
fn a_fault_shows_as_its_register_would() {
    let record = fault(FaultReason::SourceId, 0x1a2b, 0x3c4d).to_record();
    assert_eq!(
        record.into_bits(),
        0x8000_0026_0000_1a2b_3c4d_0000_0000_0000
    );
}

#[test]
fn under_load_every_fault_is_whole_and_taken_once_or_counted_as_overflowed() {
    const RAISERS: u16 = 3;
    const EACH: u16 = 30_000;
    let log = FaultLog::new(2);
    let running = AtomicBool::new(true);
    // Each fault is of one piece: its reason and requester follow from its index.
    let made = |raiser: u16, index: u16| {
        let reason = FaultReason::ALL[usize::from(index) % 12];
        fault(reason, (raiser << 12) | (index % 0x1000), index)
    };
    let taken = std::thread::scope(|scope| {
        let takers = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut taken = Vec::new();
                loop {
                    let last_look = !running.load(Ordering::Acquire);
                    while let Some(fault) = log.take() {
                        taken.push(fault);
                    }
                    if last_look {
                        return taken;
                    }
                    log.clear_overflow();
                    std::thread::yield_now();
                }
            })
        });
        let raisers = [(); RAISERS as usize];
        let mut raiser = 0;
        let raisers = raisers.map(|()| {
            raiser += 1;
            let (me, log) = (raiser, &log);
            scope.spawn(move || {
                for index in 0..EACH {
                    log.raise(made(me, index), false);
                    if index % 8 == 0 {
                        std::thread::yield_now();
                    }
                }
            })
        });
        for raiser in raisers {
            raiser.join().unwrap();
        }
        running.store(false, Ordering::Release);
        takers.map(|taker| taker.join().unwrap())
    });
    let mut seen = std::collections::HashSet::new();
    for list in &taken {
        let mut last = BTreeMap::new();
        for fault in list {
            let raiser = fault.requester.0 >> 12;
            assert_eq!(*fault, made(raiser, fault.index), "torn");
            assert!(seen.insert((raiser, fault.index)), "taken twice");
            // One raiser's faults come in the order it raised them.
            assert!(last.insert(raiser, fault.index) < Some(fault.index));
        }
    }
    let counts = log.counts();
    assert_eq!(counts.total(), u64::from(RAISERS) * u64::from(EACH));
    assert_eq!(counts.total(), seen.len() as u64 + counts.overflowed);
    // More than the records hold: some were taken while others were raised.
    assert!(
        seen.len() > 3,
        "the takers hardly met the raisers: {}",
        seen.len()
    );
}
